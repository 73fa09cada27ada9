package authz_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/authz"
)

func TestParsePattern(t *testing.T) {
	long := strings.Repeat("x", authz.MaxPatternBytes)
	tests := []struct{ name, text, want string }{
		{"one segment", "read", "read"},
		{"everything", "*", "*"},
		{"final wildcard", "llm:*", "llm:*"},
		{"inner wildcard", "orgs:*:read", "orgs:*:read"},
		{"only wildcards", "*:*:*", "*:*:*"},
		{"every scope character", "!#$%&'()+,-./09;<=>?@AZ[]^_`az{|}~", "!#$%&'()+,-./09;<=>?@AZ[]^_`az{|}~"},
		{"case is kept", "API:Read", "API:Read"},
		{"manage of administration", "orgs:roles:manage", "orgs:roles:*"},
		{"manage of anything", "orgs:*:manage", "orgs:*:*"},
		{"manage elsewhere", "billing:roles:manage", "billing:roles:manage"},
		{"manage deeper", "orgs:roles:manage:x", "orgs:roles:manage:x"},
		{"manage as a resource", "orgs:manage", "orgs:manage"},
		{"longest", long, long},
		{"most segments", "a:b:c:d:e:f:g:h", "a:b:c:d:e:f:g:h"},

		{"empty", "", ""},
		{"too long", long + "x", ""},
		{"too many segments", "a:b:c:d:e:f:g:h:i", ""},
		{"empty first segment", ":a", ""},
		{"empty last segment", "a:", ""},
		{"empty inner segment", "a::b", ""},
		{"only a colon", ":", ""},
		{"partial glob at the end", "a:b*", ""},
		{"partial glob at the start", "*a", ""},
		{"double star", "a:**", ""},
		{"space", "a b", ""},
		{"leading space", " a", ""},
		{"tab", "a\tb", ""},
		{"newline", "a\n", ""},
		{"NUL", "a\x00", ""},
		{"DEL", "a\x7f", ""},
		{"quote", `a"b`, ""},
		{"backslash", `a\b`, ""},
		{"not ASCII", "ä", ""},
		{"no-break space", "a\u00a0b", ""},
		{"broken UTF-8", "a\xff", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := authz.ParsePattern(tt.text)
			if string(got) != tt.want || (err != nil) != (tt.want == "") {
				t.Fatalf("ParsePattern(%q) = %q, %v; want %q", tt.text, got, err, tt.want)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, authz.ErrPattern) {
				t.Errorf("%v is not ErrPattern", err)
			}
			if len(tt.text) > 2 && strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error repeats its input: %v", err)
			}
		})
	}
}

func TestParseSetLimits(t *testing.T) {
	most := make([]string, authz.MaxPatterns)
	for i := range most {
		most[i] = fmt.Sprintf("p%02d", i)
	}
	if set, err := authz.ParseSet(most); err != nil || set.Len() != authz.MaxPatterns {
		t.Errorf("the largest set: %d, %v", set.Len(), err)
	}
	// The limit counts what was sent, so that a thousand copies cost nothing.
	same := slices.Repeat([]string{"a"}, authz.MaxPatterns+1)
	for name, texts := range map[string][]string{"too many": append(most, "q"), "too many of the same": same, "one bad": {"a", "b*"}} {
		if set, err := authz.ParseSet(texts); !errors.Is(err, authz.ErrPattern) || !set.Empty() {
			t.Errorf("%s: %s, %v", name, set, err)
		}
	}
	if set, err := authz.ParseSet(nil); err != nil || !set.Empty() || set.Patterns() == nil || set.String() != "" {
		t.Errorf("no patterns: %q, %v", set.Patterns(), err)
	}
}

func TestMustSetPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it accepts what is not a pattern")
		}
	}()
	authz.MustSet("a", "")
}

func TestTrustedSet(t *testing.T) {
	if !authz.TrustedSet("").Empty() || !authz.TrustedSet("  ").Empty() {
		t.Error("nothing is not the empty set")
	}
	many := make([]string, 3*authz.MaxPatterns)
	for i := range many {
		many[i] = fmt.Sprintf("p%03d", i)
	}
	if got := authz.TrustedSet(strings.Join(many, " ")); got.Len() != len(many) || got.String() != strings.Join(many, " ") {
		t.Errorf("a union of %d reads back as %d", len(many), got.Len())
	}
	if got := authz.TrustedSet("b a a:x a:*").String(); got != "a a:* b" {
		t.Errorf("TrustedSet is not canonical: %q", got)
	}
}

// Sets are shared between requests: no operation may reach into its operands.
func TestSetsAreImmutable(t *testing.T) {
	s, u := authz.MustSet("a:*", "b", "c:x"), authz.MustSet("a:b", "c:*")
	before, beforeU := s.String(), u.String()
	patterns := s.Patterns()
	patterns[0] = "changed"
	_, _, _ = s.Union(u), s.Intersect(u), s.Union(authz.Set{})
	s.Filter(func(authz.Pattern) bool { return false })
	if s.String() != before || u.String() != beforeU {
		t.Errorf("an operation changed its operand: %s, %s", s, u)
	}
}
