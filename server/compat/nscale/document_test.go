package nscale_test

import (
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/signet-issuer/signet/server/compat/nscale"
	"github.com/signet-issuer/signet/test/referee"
)

func TestDocumentHasEveryRouteAndNoOther(t *testing.T) {
	document, err := referee.Load(renderedDocument(t))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, route := range nscale.Surface(nscale.Config{Issuer: "http://127.0.0.1"}).Routes {
		want = append(want, route.Method+" "+route.Path)
	}
	slices.Sort(want)
	if got := document.Operations(); !slices.Equal(got, want) {
		t.Errorf("documented %v, routes %v", got, want)
	}
}

func TestDocumentSchemasAreClosedAndExamplesValid(t *testing.T) {
	open := []string{"Metadata", "ErrorMembers", "ExchangeForm"} // parts of others, or a form, where unknown parameters are ignored
	root := into[map[string]any](t, answer{body: string(renderedDocument(t))})
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("urn:openapi", root); err != nil {
		t.Fatal(err)
	}
	schemas, _ := root["components"].(map[string]any)["schemas"].(map[string]any)
	checked := 0
	for name, value := range schemas {
		schema, _ := value.(map[string]any)
		_, closed := schema["additionalProperties"]
		_, closedAfterAll := schema["unevaluatedProperties"]
		_, object := schema["properties"]
		if (object || schema["allOf"] != nil) && !closed && !closedAfterAll && !slices.Contains(open, name) {
			t.Errorf("schema %s is open", name)
		}
		compiled, err := compiler.Compile("urn:openapi#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		examples, _ := schema["examples"].([]any)
		for _, example := range examples {
			checked++
			if err := compiled.Validate(example); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if checked < 12 {
		t.Errorf("only %d examples were found", checked)
	}
}

func TestDocumentIsServed(t *testing.T) {
	d := start(t)
	if got := d.call(t, "GET", "/openapi/nscale.json", "").wants(t, 200); got.body != string(renderedDocument(t)) {
		t.Error("it is not the document")
	}
}
