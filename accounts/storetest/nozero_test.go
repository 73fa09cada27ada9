package storetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/signet-issuer/signet/accounts"
)

func TestZeroFieldsAreFound(t *testing.T) {
	got := zeroFields(reflect.ValueOf(accounts.Secret{Seq: 1}), "Secret")
	want := []string{
		"Secret.ID", "Secret.CredentialID", "Secret.Hint", "Secret.Gen", "Secret.CreatedAt", "Secret.ExpiresAt",
		"Secret.LastUse.At", "Secret.LastUse.Addr", "Secret.LastUse.UserAgent",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	tagged := zeroFields(reflect.ValueOf(accounts.ServiceAccount{Tags: []accounts.Tag{{Name: "n"}}}), "A")
	for _, path := range []string{"A.Tags[].Value", "A.Groups", "A.Scopes", "A.Stamp.CreatedBy", "A.Disabled"} {
		if !slices.Contains(tagged, path) {
			t.Errorf("%s was not found in %q", path, tagged)
		}
	}
}
