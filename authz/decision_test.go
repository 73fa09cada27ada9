package authz_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

func set(text string) authz.Set { return authz.MustSet(strings.Fields(text)...) }

func TestStandard15_Grant(t *testing.T) {
	tests := []struct {
		name, requested, allowed, want, wantStrict string
		err, errStrict                             error
	}{
		{name: "nothing requested gives everything", allowed: "a b:*", want: "a b:*", wantStrict: "a b:*"},
		{name: "nothing requested, nothing allowed", want: "", wantStrict: ""},
		{name: "all of it", requested: "a b:*", allowed: "a b:*", want: "a b:*", wantStrict: "a b:*"},
		{name: "part of it", requested: "b:x", allowed: "a b:*", want: "b:x", wantStrict: "b:x"},
		{name: "more than allowed", requested: "a z", allowed: "a b", want: "a", errStrict: authz.ErrScopeRefused},
		{name: "wider than allowed", requested: "b:*", allowed: "b:x", want: "b:x", errStrict: authz.ErrScopeRefused},
		{name: "overlapping", requested: "b:*:x", allowed: "b:y:*", want: "b:y:x", errStrict: authz.ErrScopeRefused},
		{name: "none of it", requested: "z", allowed: "a", err: authz.ErrScopeEmpty, errStrict: authz.ErrScopeRefused},
		{name: "requested where nothing is allowed", requested: "z", err: authz.ErrScopeEmpty, errStrict: authz.ErrScopeRefused},
		{name: "case matters", requested: "A", allowed: "a", err: authz.ErrScopeEmpty, errStrict: authz.ErrScopeRefused},
		{name: "a parent is not its children", requested: "b", allowed: "b:*", err: authz.ErrScopeEmpty, errStrict: authz.ErrScopeRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			granted, err := authz.Grant(set(tt.requested), set(tt.allowed), false)
			if granted.String() != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("lenient: %q, %v; want %q, %v", granted, err, tt.want, tt.err)
			}
			granted, err = authz.Grant(set(tt.requested), set(tt.allowed), true)
			if granted.String() != tt.wantStrict || !errors.Is(err, tt.errStrict) {
				t.Errorf("strict: %q, %v; want %q, %v", granted, err, tt.wantStrict, tt.errStrict)
			}
		})
	}
}

func numbered(n, width int) authz.Set {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%0*d", width, i)
	}
	return authz.TrustedSet(strings.Join(texts, " "))
}

func withLast(s authz.Set, width int) authz.Set { return s.Union(set(strings.Repeat("x", width))) }

// 3,072 bytes are 31 names of 95 bytes, each with a space, and one of 96.
func TestGrantFitsAToken(t *testing.T) {
	tests := []struct {
		name    string
		allowed authz.Set
		ok      bool
	}{
		{"most patterns", numbered(authz.MaxGranted, 4), true},
		{"one pattern too many", numbered(authz.MaxGranted+1, 4), false},
		{"most bytes", withLast(numbered(31, 95), 96), true},
		{"one byte too many", withLast(numbered(31, 95), 97), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, requested := range []authz.Set{{}, set("*")} {
				granted, err := authz.Grant(requested, tt.allowed, false)
				if (err == nil) != tt.ok || (err != nil && !errors.Is(err, authz.ErrScopeTooWide)) {
					t.Fatalf("%d patterns, %d bytes: %v", tt.allowed.Len(), len(tt.allowed.String()), err)
				}
				if err != nil && !granted.Empty() {
					t.Errorf("a refusal grants %s", granted)
				}
			}
		})
	}
}

func TestI1_RestrictByAnEmptyCeilingChangesNothing(t *testing.T) {
	s := set("a b:*")
	if got := s.Restrict(authz.Set{}); !got.Equal(s) {
		t.Errorf("an empty ceiling leaves %s", got)
	}
	if got := s.Restrict(set("z")); !got.Empty() {
		t.Errorf("a ceiling outside leaves %s", got)
	}
	if got := (authz.Set{}).Restrict(set("*")); !got.Empty() {
		t.Errorf("a ceiling gives %s to who has nothing", got)
	}
}

var (
	home    = uuid.MustParse("0190a000-0000-7000-8000-000000000001")
	foreign = uuid.MustParse("0190a000-0000-7000-8000-000000000002")
)

func TestI33_Reaches(t *testing.T) {
	tests := []struct {
		name      string
		principal authz.Principal
		org       uuid.UUID
		want      bool
	}{
		{"own org", authz.Principal{OrgID: home}, home, true},
		{"another org", authz.Principal{OrgID: home}, foreign, false},
		{"another org with every permission", authz.Principal{OrgID: home, Permissions: set("*"), Holds: set("*")}, foreign, false},
		{"system without permissions", authz.Principal{OrgID: home, System: true}, foreign, true},
		{"operator", authz.Operator("signet:bootstrap"), foreign, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.principal.Reaches(tt.org); got != tt.want {
				t.Errorf("Reaches = %t", got)
			}
		})
	}
}

func TestDemand(t *testing.T) {
	update := authz.Permission(authz.Credentials, authz.Update)
	if update != "orgs:credentials:update" {
		t.Fatalf("Permission = %s", update)
	}
	tests := []struct {
		name               string
		principal          authz.Principal
		ok, okAsSystemOnly bool
	}{
		{"nobody", authz.Principal{}, false, false},
		{"exactly that", authz.Principal{Permissions: set("orgs:credentials:update")}, true, false},
		{"every action", authz.Principal{Permissions: set("orgs:credentials:manage")}, true, false},
		{"another action", authz.Principal{Permissions: set("orgs:credentials:read")}, false, false},
		{"another resource", authz.Principal{Permissions: set("orgs:roles:*")}, false, false},
		{"admin", authz.Principal{Permissions: set("orgs:*")}, true, false},
		{"owner", authz.Principal{Permissions: set("*")}, true, false},
		{"viewer", authz.Principal{Permissions: set("orgs:*:read")}, false, false},
		{"allowed but the token is narrower", authz.Principal{Holds: set("*"), Permissions: set("orgs:roles:read")}, false, false},
		{"system with it", authz.Principal{System: true, Permissions: set("orgs:*")}, true, true},
		{"system without it", authz.Principal{System: true, Permissions: set("orgs:*:read")}, false, false},
		{"operator", authz.Operator("signet:bootstrap"), true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			denied(t, "Demand", tt.principal.Demand(update), tt.ok, update)
			lacks := update
			if !tt.principal.System {
				lacks = ""
			}
			denied(t, "DemandSystem", tt.principal.DemandSystem(update), tt.okAsSystemOnly, lacks)
		})
	}
}

func denied(t *testing.T, what string, err error, ok bool, lacks authz.Pattern) {
	t.Helper()
	if ok {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	e, is := errors.AsType[*authz.DeniedError](err)
	if !is {
		t.Fatalf("%s = %v, want a DeniedError", what, err)
	}
	if e.Permission != lacks || (lacks == "") != (e.Reason != "") || e.Error() == "" {
		t.Errorf("%s = %+v, want permission %q", what, e, lacks)
	}
}

func TestI34_MayGrant(t *testing.T) {
	tests := []struct {
		name, holds, permissions, give string
		want                           bool
	}{
		{"nothing", "", "", "", true},
		{"what it holds", "llm:* orgs:*", "orgs:*", "llm:chat", true},
		{"what it does not hold", "orgs:*", "orgs:*", "llm:chat", false},
		{"part of it", "llm:*", "orgs:*", "llm:chat tools:x", false},
		{"administration that it holds", "orgs:*", "orgs:*", "orgs:roles:read", true},
		{"administration that its token was narrowed to leave out", "orgs:*", "orgs:service-accounts:*", "orgs:roles:read", false},
		{"everything, as owner", "*", "orgs:*", "*", true},
		{"everything, as owner with a narrow token", "*", "orgs:roles:*", "*", false},
		{"a pattern that only reaches into administration", "*", "llm:*", "*:roles:read", false},
		{"more than admin", "orgs:*", "orgs:*", "*", false},
		{"a wider action", "orgs:*:read", "orgs:*:read", "orgs:roles:manage", false},
		{"beside administration needs no token scope", "*", "", "llm:*", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := authz.Principal{Holds: set(tt.holds), Permissions: set(tt.permissions)}
			if got := p.MayGrant(set(tt.give)); got != tt.want {
				t.Errorf("MayGrant = %t", got)
			}
		})
	}
	if operator := authz.Operator("signet:bootstrap"); !operator.MayGrant(set("*")) {
		t.Error("the operator may not grant everything")
	}
}

func TestAdministrative(t *testing.T) {
	tests := []struct {
		set, without string
		want         bool
	}{
		{"", "", false},
		{"orgs:*", "", true},
		{"orgs:roles:read orgs:*:delete", "", true},
		{"orgs:roles:read llm:chat", "llm:chat", false},
		{"orgs", "orgs", false},
		{"organizations:x", "organizations:x", false},
		{"*", "*", false},
		{"*:roles", "*:roles", false},
	}
	for _, tt := range tests {
		t.Run(tt.set, func(t *testing.T) {
			s := set(tt.set)
			if s.Administrative() != tt.want || s.WithoutAdministrative().String() != tt.without {
				t.Errorf("%t, %q", s.Administrative(), s.WithoutAdministrative())
			}
		})
	}
}
