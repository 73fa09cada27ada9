package client

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/server/admin"
)

// The structs have exactly the members that the document has for them.
func TestStructsAreThoseOfTheDocument(t *testing.T) {
	schemas := readSchemas(t)
	for name, value := range map[string]any{
		"Org": Org{}, "NewOrg": NewOrg{}, "OrgPatch": OrgPatch{},
		"Role": Role{}, "NewRole": NewRole{}, "RolePatch": RolePatch{},
		"Group": Group{}, "NewGroup": NewGroup{}, "GroupPatch": GroupPatch{},
		"ServiceAccount": ServiceAccount{}, "NewServiceAccount": NewServiceAccount{}, "ServiceAccountPatch": ServiceAccountPatch{},
		"CreatedServiceAccount": CreatedServiceAccount{}, "RotatedServiceAccount": RotatedServiceAccount{}, "Tag": Tag{},
		"Credential": Credential{}, "NewCredential": NewCredential{}, "CredentialPatch": CredentialPatch{},
		"CreatedCredential": CreatedCredential{}, "Secret": Secret{}, "CreatedSecret": CreatedSecret{},
		"Token": Token{}, "IssuedToken": IssuedToken{}, "AuditEvent": AuditEvent{}, "Key": Key{}, "FieldError": FieldError{},
	} {
		want, got := schemas.members(name), members(reflect.TypeOf(value))
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s has %v, the document %v", name, got, want)
		}
	}
}

type schema struct {
	Ref        string                     `json:"$ref"`
	Properties map[string]json.RawMessage `json:"properties"`
	AllOf      []schema                   `json:"allOf"`
	OneOf      []schema                   `json:"oneOf"`
}

type documented map[string]schema

func readSchemas(t *testing.T) documented {
	t.Helper()
	raw, err := admin.Document()
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Components struct{ Schemas documented } }
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	return document.Components.Schemas
}

func (d documented) members(name string) []string {
	names := d.collect(d[name])
	slices.Sort(names)
	return slices.Compact(names)
}

func (d documented) collect(s schema) []string {
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf) {
		names = append(names, d.collect(part)...)
	}
	if s.Ref != "" {
		names = append(names, d.collect(d[strings.TrimPrefix(s.Ref, "#/components/schemas/")])...)
	}
	return names
}

func members(t reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(t) {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag != "" {
			names = append(names, tag)
		}
	}
	slices.Sort(names)
	return names
}
