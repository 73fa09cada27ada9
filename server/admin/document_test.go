package admin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signet-issuer/signet/server/admin"
	"github.com/signet-issuer/signet/server/oauth"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/test/referee"
)

// operations of the server itself, which are no surface's.
var ofTheServer = []string{"GET /livez", "GET /metrics", "GET /readyz"}

func renderedDocument(t testing.TB) []byte {
	t.Helper()
	document, err := admin.Document()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestDocumentHasEveryRouteAndNoOther(t *testing.T) {
	document, err := referee.Load(renderedDocument(t))
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(ofTheServer)
	// Keycard's token endpoint is in that dialect's own document.
	endpoints := oauth.Surface(oauth.Config{Issuer: "http://127.0.0.1", Aliases: oauth.Aliases{Prisme: true, Rezolve: true}})
	for _, surface := range []web.Surface{admin.Surface(admin.Config{}), endpoints} {
		for _, route := range surface.Routes {
			want = append(want, route.Method+" "+route.Path)
		}
	}
	slices.Sort(want)
	got := document.Operations()
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("not documented: %s", name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("documented, but no route: %s", name)
		}
	}
}

func TestDocumentIsOpenAPI31WithUniqueOperationIDs(t *testing.T) {
	var document struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(renderedDocument(t), &document); err != nil {
		t.Fatal(err)
	}
	if document.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", document.OpenAPI)
	}
	seen := map[string]string{}
	for path, item := range document.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var operation struct{ OperationID, Summary string }
			if err := json.Unmarshal(raw, &operation); err != nil {
				t.Fatal(err)
			}
			if operation.OperationID == "" || operation.Summary == "" || seen[operation.OperationID] != "" {
				t.Errorf("%s %s: operation id %q, summary %q, id also at %q", method, path,
					operation.OperationID, operation.Summary, seen[operation.OperationID])
			}
			seen[operation.OperationID] = method + " " + path
		}
	}
}

// Every object that the server sends or accepts is closed, so that the referee sees more and less.
func TestDocumentSchemasAreClosed(t *testing.T) {
	open := []string{ // parts of others, or forms, where unknown parameters are ignored (RFC 6749, section 3.2)
		"CredentialMembers", "FreshCredential", "FreshSecret", "MetadataMembers", "ProblemMembers", "SecretMembers",
		"ServiceAccountMembers", "TokenForm", "TokenNameForm", "Introspection",
	}
	for name, schema := range schemas(t) {
		_, closed := schema["additionalProperties"]
		_, closedAfterAll := schema["unevaluatedProperties"]
		_, object := schema["properties"]
		if (object || schema["allOf"] != nil) && !closed && !closedAfterAll && !slices.Contains(open, name) {
			t.Errorf("schema %s is open", name)
		}
	}
}

func schemas(t testing.TB) map[string]map[string]any {
	t.Helper()
	var document struct {
		Components struct {
			Schemas map[string]map[string]any
		}
	}
	if err := json.Unmarshal(renderedDocument(t), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Components.Schemas) == 0 {
		t.Fatal("the document has no schemas")
	}
	return document.Components.Schemas
}

func TestDocumentExamplesAreValid(t *testing.T) {
	root, err := jsonschema.UnmarshalJSON(strings.NewReader(string(renderedDocument(t))))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("urn:openapi", root); err != nil {
		t.Fatal(err)
	}
	walk := exampleWalk{t: t, compiler: compiler}
	walk.visit(root, "#")
	if walk.checked < 60 {
		t.Errorf("only %d examples were found", walk.checked)
	}
}

type exampleWalk struct {
	t        *testing.T
	compiler *jsonschema.Compiler
	checked  int
}

// visit checks `examples` within schemas and `example` beside a schema.
func (w *exampleWalk) visit(value any, at string) {
	switch value := value.(type) {
	case map[string]any:
		examples, isList := value["examples"].([]any)
		if isList && !strings.HasSuffix(at, "/properties") {
			for _, example := range examples {
				w.check(at, example)
			}
		}
		if example, ok := value["example"]; ok && value["schema"] != nil {
			w.check(at+"/schema", example)
		}
		for name, child := range value {
			if name != "examples" && name != "example" {
				w.visit(child, at+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name))
			}
		}
	case []any:
		for i, child := range value {
			w.visit(child, fmt.Sprintf("%s/%d", at, i))
		}
	}
}

func (w *exampleWalk) check(at string, example any) {
	w.t.Helper()
	w.checked++
	schema, err := w.compiler.Compile("urn:openapi" + at)
	if err != nil {
		w.t.Errorf("%s: %v", at, err)
		return
	}
	if err := schema.Validate(example); err != nil {
		w.t.Errorf("%s: %v", at, err)
	}
}

func TestDocumentIsServed(t *testing.T) {
	api := start(t)
	got := api.call(t, "GET", "/openapi.json", "")
	got.wants(t, 200)
	if got.body != string(renderedDocument(t)) {
		t.Error("it is not the document")
	}
}
