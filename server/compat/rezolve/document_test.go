package rezolve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	signet "github.com/signet-issuer/signet/server"
	"github.com/signet-issuer/signet/server/compat/rezolve"
	"github.com/signet-issuer/signet/test/referee"
)

func TestDocumentHasEveryRouteAndNoOther(t *testing.T) {
	loaded, err := referee.Load(document(t))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, route := range rezolve.Surface(rezolve.Config{}).Routes {
		want = append(want, route.Method+" "+route.Path)
	}
	slices.Sort(want)
	if got := loaded.Operations(); !slices.Equal(got, want) {
		t.Errorf("documented are %v, served %v", got, want)
	}
}

// Every object that the server sends or accepts is closed, so that the referee sees more and less.
func TestDocumentIsClosed(t *testing.T) {
	open := []string{"EnvelopeMembers", "ClientMembers", "Lifetimes", "LastUse"} // parts of others
	var read struct {
		OpenAPI    string `json:"openapi"`
		Components struct {
			Schemas map[string]any
		}
	}
	if err := json.Unmarshal(document(t), &read); err != nil {
		t.Fatal(err)
	}
	if read.OpenAPI != "3.1.0" || len(read.Components.Schemas) < 20 {
		t.Fatalf("openapi %q with %d schemas", read.OpenAPI, len(read.Components.Schemas))
	}
	for name, schema := range read.Components.Schemas {
		if !slices.Contains(open, name) {
			wantClosed(t, name, schema)
		}
	}
}

func wantClosed(t *testing.T, at string, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		_, closed := value["additionalProperties"]
		_, closedAfterAll := value["unevaluatedProperties"]
		_, members := value["properties"].(map[string]any)
		if (members || value["allOf"] != nil) && !closed && !closedAfterAll {
			t.Errorf("%s is open", at)
		}
		for name, inner := range value {
			if name != "examples" {
				wantClosed(t, at+"/"+name, inner)
			}
		}
	case []any:
		for i, inner := range value {
			wantClosed(t, fmt.Sprintf("%s/%d", at, i), inner)
		}
	}
}

func TestDocumentExamplesAreValid(t *testing.T) {
	root, err := jsonschema.UnmarshalJSON(strings.NewReader(string(document(t))))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("urn:openapi", root); err != nil {
		t.Fatal(err)
	}
	schemas, _ := root.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
	checked := 0
	for name, schema := range schemas {
		examples, _ := schema.(map[string]any)["examples"].([]any)
		for _, example := range examples {
			checked++
			compiled, err := compiler.Compile("urn:openapi#/components/schemas/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if err := compiled.Validate(example); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if checked < 8 {
		t.Errorf("only %d examples were found", checked)
	}
}

func TestDocumentIsServed(t *testing.T) {
	s := start(t)
	got := s.call(t, http.MethodGet, "/openapi/rezolve.json", "").wants(t, http.StatusOK)
	if got.body != string(document(t)) {
		t.Error("it is not the document")
	}
}

// Without the door nothing of it is there.
func TestDoorCanBeShut(t *testing.T) {
	env := testenv.Start(t, func(c *testenv.Config) {
		dialects := signet.AllDialects
		dialects.Rezolve = false
		c.Dialects = &dialects
	})
	token := as(env.Token(t, env.Admin))
	shut := append(routes(someID), filled{"GET", "/openapi/rezolve.json"}, filled{"POST", "/api/v1/oauth/token"}, filled{"GET", "/api/v1/admin"})
	for _, route := range shut {
		got := env.Do(t, route.method, route.path, route.body(), token, tenant(accounts.SystemOrgID.String()))
		if got.Status != http.StatusNotFound || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %d %s", route, got.Status, got.Body)
		}
	}
}
