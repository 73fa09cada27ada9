package authz_test

import (
	"strings"
	"testing"

	"github.com/signet-issuer/signet/authz"
)

var scopeSeeds = []string{
	"", "*", "a", "a:b:c", "a:*", "*:a", "orgs:*:read", "orgs:roles:manage", "*:*:manage orgs:*", "b a a:x a:*",
	"a:b* ", "a**", "a  b", `a"b`, `a\b`, "a\x00b", "ä", "a::b", ":", strings.Repeat("a:", 9), strings.Repeat("x", 129),
}

func FuzzScopePatterns(f *testing.F) {
	if len(scopeSeeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, seed := range scopeSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := authz.ParseSet(strings.Split(text, " "))
		if err != nil {
			if !set.Empty() {
				t.Fatalf("an error comes with %s", set)
			}
			return
		}
		for _, p := range set.Patterns() {
			if strings.ContainsAny(strings.ReplaceAll(p, ":*", ""), " \t\r\n\"\\") || len(p) > authz.MaxPatternBytes {
				t.Fatalf("accepted %q", p)
			}
			for segment := range strings.SplitSeq(p, ":") {
				if segment == "" || segment != "*" && strings.Contains(segment, "*") {
					t.Fatalf("accepted the segment %q of %q", segment, p)
				}
			}
		}
		again, err := authz.ParseSet(set.Patterns())
		if err != nil || again.String() != set.String() || !again.Equal(set) {
			t.Fatalf("%q parses again as %q, %v", set, again, err)
		}
		if trusted := authz.TrustedSet(set.String()); !trusted.Equal(set) {
			t.Fatalf("%q reads back as %q", set, trusted)
		}
		if met := set.Intersect(set); !met.Equal(set) || !set.Contains(set) {
			t.Fatalf("%q met with itself is %q", set, met)
		}
	})
}
