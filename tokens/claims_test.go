package tokens_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/tokens"
)

const goodClaims = `{"iss":"https://id.example.com","sub":"sa:acme:bot","aud":"https://api.acme.example",` +
	`"client_id":"abc","iat":1700000000,"exp":1700000900,"jti":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","scope":"api:read","org":"acme","gen":7,"sec":3}`

func payloadOf(t testing.TB, token tokens.Token) []byte {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Value.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestClaimsRoundTrip(t *testing.T) {
	i := newIssuing(t, func(cfg *tokens.IssuerConfig) { cfg.PerOrgRate = 1_000_000 })
	text := rapid.StringMatching(`https://[a-z]{1,8}\.example/[!$-;=?-Z_a-z~"<>\\]{0,20}`)
	rapid.Check(t, func(rt *rapid.T) {
		standing := newStanding()
		standing.Audiences = rapid.SliceOfNDistinct(text, 1, 3, func(s string) string { return s }).Draw(rt, "audiences")
		standing.ClientID = rapid.StringN(1, 40, 80).Draw(rt, "client id")
		standing.Gen = rapid.Int64Range(0, 1<<62).Draw(rt, "gen")
		standing.SecretSeq = rapid.Int64Range(0, 1<<62).Draw(rt, "seq")
		standing.RolePermissions = authz.MustSet(rapid.SliceOf(rapid.StringMatching(`[a-z!/<&]{1,5}(:[a-z]{1,3}){0,3}`)).Draw(rt, "role")...)
		token, err := i.issue(t, standing, tokens.Request{Resources: resourcesIn(standing)})
		if err != nil {
			if _, refused := errors.AsType[*tokens.TargetError](err); refused || errors.Is(err, authz.ErrScopeTooWide) {
				return
			}
			rt.Fatal(err)
		}
		payload := payloadOf(t, token)
		parsed, err := tokens.ParseClaims(payload)
		if err != nil {
			rt.Fatalf("%v: %s", err, payload)
		}
		if diff := cmp.Diff(token.Claims, parsed, cmp.Comparer(authz.Set.Equal)); diff != "" {
			rt.Fatal(diff)
		}
		var other map[string]any
		if err := json.Unmarshal(payload, &other); err != nil || other["client_id"] != standing.ClientID {
			rt.Fatalf("another parser reads %v, %v", other, err)
		}
	})
}

func resourcesIn(standing accounts.Standing) []string { return standing.Audiences }

func TestParseClaimsIsStrict(t *testing.T) {
	want := tokens.Claims{
		Issuer: "https://id.example.com", Subject: "sa:acme:bot", Audience: []string{"https://api.acme.example"}, ClientID: "abc",
		ID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", IssuedAt: time.Unix(1700000000, 0).UTC(), ExpiresAt: time.Unix(1700000900, 0).UTC(),
		Scope: authz.MustSet("api:read"), Org: "acme", Gen: 7, SecretSeq: 3,
	}
	got, err := tokens.ParseClaims([]byte(goodClaims))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(authz.Set.Equal)); diff != "" {
		t.Fatal(diff)
	}
	for name, change := range map[string][2]string{
		"no iss":              {`"iss":"https://id.example.com",`, ``},
		"no sub":              {`"sub":"sa:acme:bot",`, ``},
		"no aud":              {`"aud":"https://api.acme.example",`, ``},
		"no client_id":        {`"client_id":"abc",`, ``},
		"no iat":              {`"iat":1700000000,`, ``},
		"no exp":              {`"exp":1700000900,`, ``},
		"no jti":              {`"jti":"ABCDEFGHIJKLMNOPQRSTUVWXYZ",`, ``},
		"no org":              {`"org":"acme",`, ``},
		"no gen":              {`"gen":7,`, ``},
		"null":                {`"acme"`, `null`},
		"case of a name":      {`"iss"`, `"ISS"`},
		"unknown member":      {`"sec":3`, `"sec":3,"x":1`},
		"twice":               {`"sec":3`, `"sec":3,"sec":3`},
		"something behind":    {`"sec":3}`, `"sec":3}{}`},
		"empty sub":           {`"sa:acme:bot"`, `""`},
		"number as a string":  {`"exp":1700000900`, `"exp":"1700000900"`},
		"string as a number":  {`"org":"acme"`, `"org":5`},
		"fraction":            {`1700000900`, `1700000900.5`},
		"exponent":            {`1700000900`, `17e8`},
		"too large":           {`1700000900`, `9223372036854775808`},
		"after the year 9999": {`1700000900`, `253402300800`},
		"exp before iat":      {`1700000900`, `1699999999`},
		"exp is iat":          {`1700000900`, `1700000000`},
		"iat of 0":            {`1700000000`, `0`},
		"negative gen":        {`"gen":7`, `"gen":-1`},
		"sec of 0":            {`"sec":3`, `"sec":0`},
		"empty aud":           {`"https://api.acme.example"`, `[]`},
		"aud of one":          {`"https://api.acme.example"`, `["https://api.acme.example"]`},
		"aud with a number":   {`"https://api.acme.example"`, `["https://api.acme.example",1]`},
		"aud with null":       {`"https://api.acme.example"`, `["https://api.acme.example",null]`},
		"aud is an object":    {`"https://api.acme.example"`, `{}`},
		"aud is null":         {`"https://api.acme.example"`, `null`},
		"empty scope":         {`"api:read"`, `""`},
		"scope twice":         {`"api:read"`, `"api:read api:read"`},
		"scope unsorted":      {`"api:read"`, `"b a"`},
		"scope with two gaps": {`"api:read"`, `"a  b"`},
		"bad scope":           {`"api:read"`, `"a:"`},
		"short jti":           {`UVWXYZ"`, `UVWXY"`},
		"jti of other signs":  {`UVWXYZ"`, `UVWXY1"`},
		"bad org":             {`"org":"acme"`, `"org":"Acme"`},
		"not UTF-8":           {`bot`, "\xff"},
		"an array":            {goodClaims, `[]`},
		"nothing":             {goodClaims, ``},
	} {
		if !strings.Contains(goodClaims, change[0]) {
			t.Fatalf("%s: the change does not apply", name)
		}
		got, err := tokens.ParseClaims([]byte(strings.Replace(goodClaims, change[0], change[1], 1)))
		if !errors.Is(err, tokens.ErrClaims) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if diff := cmp.Diff(tokens.Claims{}, got, cmp.Comparer(authz.Set.Equal)); diff != "" {
			t.Errorf("%s: an error comes with claims: %s", name, diff)
		}
	}
}
