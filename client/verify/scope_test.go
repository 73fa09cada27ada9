package verify_test

import (
	"testing"

	"github.com/signet-issuer/signet/client/verify"
)

func TestHasScope(t *testing.T) {
	tests := []struct {
		scope, permission string
		want              bool
	}{
		{"read", "read", true},
		{"read", "Read", false},
		{"read", "read:x", false},
		{"read", "rea", false},
		{"*", "read", true},
		{"*", "a:b:c", true},
		{"*", "*", true},
		{"llm:*", "llm:chat", true},
		{"llm:*", "llm:chat:fast", true},
		{"llm:*", "llm:*", true},
		{"llm:*", "llm", false},
		{"llm:*", "llmx:chat", false},
		{"llm:*", "*", false},
		{"orgs:*:read", "orgs:roles:read", true},
		{"orgs:*:read", "orgs:roles:write", false},
		{"orgs:*:read", "orgs:roles:x:read", false},
		{"orgs:*:read", "orgs:read", false},
		{"orgs:*:read", "orgs:*:read", true},
		{"orgs:*:read", "orgs:roles:*", false},
		{"*:*", "a", false},
		{"*:*", "a:b", true},
		{"*:*", "a:b:c", true},
		{"*:*", "*", false},
		{"*:read", "orgs:read", true},
		{"*:read", "orgs:write", false},
		{"a:b", "*:b", false},
		{"a:b", "a:*", false},
		{"a:b*", "a:bc", false},
		{"a:*:b", "a::b", false},
		{"*", "", false},
		{"*", "a:", false},
		{"*", ":a", false},
		{"*", "a b", false},
		{"*", `a"b`, false},
		{"*", "a\nb", false},
		{"", "a", false},
	}
	for _, tt := range tests {
		t.Run(tt.scope+" "+tt.permission, func(t *testing.T) {
			token := &verify.Token{Scopes: []string{"other:scope", tt.scope}}
			if got := token.HasScope(tt.permission); got != tt.want {
				t.Errorf("HasScope = %t", got)
			}
		})
	}
	if (&verify.Token{}).HasScope("a") || (*verify.Token)(nil).HasScope("a") {
		t.Error("a token without scopes has one")
	}
}
