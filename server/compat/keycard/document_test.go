package keycard_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server"
	"github.com/signet-issuer/signet/server/compat/keycard"
	"github.com/signet-issuer/signet/test/referee"
)

func TestDocumentHasEveryRouteAndNoOther(t *testing.T) {
	body, err := keycard.Document()
	must(t, err)
	document, err := referee.Load(body)
	must(t, err)
	want := []string{"POST /service-account-token"} // a route of package oauth
	for _, route := range keycard.Surface(keycard.Config{}).Routes {
		want = append(want, route.Method+" "+route.Path)
	}
	slices.Sort(want)
	if got := document.Operations(); !slices.Equal(got, want) {
		t.Errorf("documented: %v\nroutes: %v", got, want)
	}
}

func TestDocumentIsServed(t *testing.T) {
	d := open(t)
	body, err := keycard.Document()
	must(t, err)
	if got := d.call(t, "GET", "/openapi/keycard.json", ""); got.Status != 200 || got.Body != string(body) {
		t.Errorf("%d, %d bytes", got.Status, len(got.Body))
	}
}

// Without the door nothing of it is there.
func TestDoorCanBeShut(t *testing.T) {
	env := testenv.Start(t, func(c *testenv.Config) {
		dialects := server.AllDialects
		dialects.Keycard = false
		c.Dialects = &dialects
	})
	token := testenv.Bearer(env.Token(t, env.Admin))
	for _, request := range [][2]string{{"GET", acme}, {"POST", "/service-account-token"}, {"GET", "/openapi/keycard.json"}, {"POST", "/organizations/acme/token"}} {
		if got := env.Do(t, request[0], request[1], "", token); got.Status != 404 || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", request[0], request[1], got.Status, got.Header.Get("Content-Type"))
		}
	}
}

// Every example of the document is one that its own schema allows.
func TestDocumentExamplesAreValid(t *testing.T) {
	body, err := keycard.Document()
	must(t, err)
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	must(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	must(t, compiler.AddResource("urn:openapi", root))
	checked := 0
	eachExample(root, "#", func(at string, example any) {
		checked++
		schema, err := compiler.Compile("urn:openapi" + at)
		must(t, err)
		if err := schema.Validate(example); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	})
	if checked < 25 {
		t.Errorf("only %d examples were found", checked)
	}
}

// eachExample finds `examples` within schemas and `example` beside a schema.
func eachExample(value any, at string, check func(schema string, example any)) {
	switch value := value.(type) {
	case map[string]any:
		examples, _ := value["examples"].([]any)
		for _, example := range examples {
			check(at, example)
		}
		if example, ok := value["example"]; ok {
			check(at+"/schema", example)
		}
		for name, child := range value {
			if name != "examples" && name != "example" {
				eachExample(child, at+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name), check)
			}
		}
	case []any:
		for i, child := range value {
			eachExample(child, fmt.Sprintf("%s/%d", at, i), check)
		}
	}
}
