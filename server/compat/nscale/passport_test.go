package nscale_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/tokens"
)

const (
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	passportType    = "urn:nscale:params:oauth:token-type:passport"
)

// exchange asks for a passport. Parameters are pairs; an empty value takes one out.
func (d *door) exchange(t testing.TB, subject string, parameters ...string) answer {
	t.Helper()
	form := url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {subject}, "subject_token_type": {accessTokenType},
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] == "" {
			form.Del(parameters[i])
		} else {
			form.Add(parameters[i], parameters[i+1])
		}
	}
	return d.form(t, "/oauth2/v2/token", form)
}

func (d *door) form(t testing.TB, path string, form url.Values, options ...option) answer {
	t.Helper()
	asForm := testenv.Header("Content-Type", "application/x-www-form-urlencoded")
	return d.send(t, "POST", path, form.Encode(), append(options, asForm)...)
}

// passport exchanges, verifies by the published keys and returns the claims.
func (d *door) passport(t testing.TB, subject string, parameters ...string) map[string]any {
	t.Helper()
	got := d.exchange(t, subject, parameters...).wants(t, 200)
	if control := got.header.Get("Cache-Control"); control != "no-store" {
		t.Errorf("Cache-Control %q", control)
	}
	said := into[map[string]any](t, got)
	if said["token_type"] != "Bearer" || said["issued_token_type"] != passportType {
		t.Errorf("answered %s", got.body)
	}
	raw, _ := said["access_token"].(string)
	header := testenv.JOSEHeader(t, raw)
	if header["alg"] != "ES512" || header["typ"] != "passport+jwt" {
		t.Errorf("header %v", header)
	}
	d.verify(t, raw)
	claims := testenv.Payload(t, raw)
	iat, _ := claims["iat"].(json.Number).Int64()
	exp, _ := claims["exp"].(json.Number).Int64()
	if float64(exp-iat) != said["expires_in"] || exp-iat > 60 {
		t.Errorf("lives from %d to %d, says %v", iat, exp, said["expires_in"])
	}
	return claims
}

// verify checks a signature against /oauth2/v2/jwks alone, by a library of others.
func (d *door) verify(t testing.TB, raw string) {
	t.Helper()
	set := into[jose.JSONWebKeySet](t, d.call(t, "GET", "/oauth2/v2/jwks", "").wants(t, 200))
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES512})
	if err != nil {
		t.Fatal(err)
	}
	keys := set.Key(signed.Signatures[0].Header.KeyID)
	if len(keys) != 1 {
		t.Fatalf("%d keys fit", len(keys))
	}
	if _, err := signed.Verify(keys[0]); err != nil {
		t.Error(err)
	}
}

func TestRFC8693_PassportSaysWhoAndNothingMore(t *testing.T) {
	d := start(t)
	group := d.group(t, "clerks", "orgs:service-accounts:*", "api:read")
	bot := d.made(t, "bot", group.Metadata.ID)
	acme := d.acme.ID.String()
	claims := d.passport(t, bot.Status.AccessToken, "x_organization_id", acme, "requested_token_type", passportType,
		"audience", "region", "resource", "https://api.example/v1?x=1", "audience", "compute", "audience", "region")
	if id, _ := claims["jti"].(string); uuid.Validate(id) != nil {
		t.Errorf("jti %v", claims["jti"])
	}
	for _, name := range []string{"jti", "iat", "exp"} {
		delete(claims, name)
	}
	want := map[string]any{
		"iss": "uni-identity", "sub": bot.Metadata.ID, "aud": []any{"https://api.example/v1?x=1", "region", "compute"},
		"typ": "passport", "acctype": "service", "source": "uni", "src_iss": "uni", "org_ids": []any{acme}, "org_id": acme,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error("claims (-want +got)", diff)
	}
	plain := d.passport(t, bot.Status.AccessToken, "requested_token_type", accessTokenType)
	if diff := cmp.Diff([]any{d.Issuer}, plain["aud"]); diff != "" || plain["org_id"] != nil {
		t.Errorf("claims without wishes: %v", plain)
	}
}

// An access token for the issuer buys one, too, and the passport ends when it does.
func TestPassportEndsWithItsSubjectToken(t *testing.T) {
	d := start(t)
	d.Clock.Stop()
	machine := d.Machine(t, "acme", "bot", "api")
	jwt := d.Token(t, machine.Login, "resource", d.Issuer)
	claims := d.passport(t, jwt)
	if claims["sub"] != machine.Account.ID.String() {
		t.Errorf("sub %v", claims["sub"])
	}
	d.Clock.Advance(15*time.Minute - 20*time.Second)
	late := d.passport(t, jwt)
	if late["exp"] != testenv.Payload(t, jwt)["exp"] {
		t.Errorf("ends at %v, its subject token at %v", late["exp"], testenv.Payload(t, jwt)["exp"])
	}
	d.Clock.Advance(20 * time.Second)
	d.exchange(t, jwt).refused(t, 401, "access_denied")
	// One for another audience is not this issuer's to take.
	other := d.Token(t, machine.Login, "resource", d.Issuer+"/orgs/acme")
	d.exchange(t, other).refused(t, 401, "access_denied")
}

// Hazard 26: what was revoked, rotated, disabled or deleted buys nothing.
func TestHazard26_DeadTokensBuyNoPassport(t *testing.T) {
	d := start(t)
	for name, end := range map[string]func(made object){
		"deleted": func(made object) {
			d.may(t, "DELETE", path(d.acme, "serviceaccounts", made.Metadata.ID), "").wants(t, 200)
		},
		"disabled": func(made object) { d.disable(t, made.Metadata.ID) },
		"rotated": func(made object) {
			d.may(t, "POST", path(d.acme, "serviceaccounts", made.Metadata.ID, "rotate"), "").wants(t, 200)
		},
	} {
		made := d.made(t, name)
		d.passport(t, made.Status.AccessToken)
		end(made)
		got := d.exchange(t, made.Status.AccessToken).refused(t, 401, "access_denied")
		want := `Bearer error="access_denied",error_description="the bearer token is not valid",resource_metadata="` +
			d.URL + `/.well-known/openid-protected-resource"`
		if challenge := got.header.Get("WWW-Authenticate"); challenge != want {
			t.Errorf("%s: challenge %q", name, challenge)
		}
	}
	login := d.Machine(t, "acme", "bot", "api").Login
	jwt := d.Token(t, login, "resource", d.Issuer)
	d.passport(t, jwt)
	d.Post(t, "/revoke", url.Values{"token": {jwt}, "client_id": {login.ID}, "client_secret": {login.Secret}})
	d.exchange(t, jwt).refused(t, 401, "access_denied")
}

func TestPassportOrganization(t *testing.T) {
	d := start(t)
	bot := d.made(t, "bot")
	root := d.Token(t, d.Admin)
	upper := strings.ToUpper(d.acme.ID.String())
	if claims := d.passport(t, bot.Status.AccessToken, "x_organization_id", upper); claims["org_id"] != d.acme.ID.String() {
		t.Errorf("org_id %v", claims["org_id"])
	}
	// A system account agrees with every tenant that there is.
	claims := d.passport(t, root, "x_organization_id", d.acme.ID.String())
	if diff := cmp.Diff([]any{accounts.SystemOrgID.String(), d.acme.ID.String()}, claims["org_ids"]); diff != "" || claims["org_id"] != d.acme.ID.String() {
		t.Errorf("claims of a system account: %v", claims)
	}
	const nowhere = "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad"
	var bodies []string
	for _, org := range []string{d.other.ID.String(), nowhere, "acme", "00000000-0000-0000-0000-000000000000"} {
		got := d.exchange(t, bot.Status.AccessToken, "x_organization_id", org).refused(t, 400, "invalid_scope")
		trace := into[map[string]string](t, got)["trace_id"]
		bodies = append(bodies, strings.ReplaceAll(got.body, trace, ""))
	}
	if len(slices.Compact(bodies)) != 1 {
		t.Errorf("foreign and absent differ: %v", bodies)
	}
	d.exchange(t, root, "x_organization_id", nowhere).refused(t, 400, "invalid_scope")
	d.exchange(t, bot.Status.AccessToken, "x_organization_id", d.acme.ID.String(), "x_project_id", nowhere).
		refused(t, 400, "invalid_scope").says(t, "project")
	d.exchange(t, bot.Status.AccessToken, "x_project_id", nowhere).refused(t, 400, "invalid_request").says(t, "x_organization_id")
}

func TestRFC8693_2_1_MalformedExchangesAreRefused(t *testing.T) {
	d := start(t)
	token := d.made(t, "bot").Status.AccessToken
	for name, test := range map[string]struct {
		parameters []string
		code, says string
	}{
		"no grant type":            {[]string{"grant_type", ""}, "invalid_request", "grant_type"},
		"no subject token":         {[]string{"subject_token", ""}, "invalid_request", "subject_token"},
		"no subject token type":    {[]string{"subject_token_type", ""}, "invalid_request", "subject_token_type"},
		"two subject tokens":       {[]string{"subject_token", "x"}, "invalid_request", "more than once"},
		"actor token":              {[]string{"actor_token", token}, "invalid_request", "actor_token"},
		"actor token type":         {[]string{"actor_token_type", accessTokenType}, "invalid_request", "actor_token"},
		"another requested type":   {[]string{"requested_token_type", "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request", "requested_token_type"},
		"relative resource":        {[]string{"resource", "/api"}, "invalid_request", "resource"},
		"resource with a fragment": {[]string{"resource", "https://api.example/#x"}, "invalid_request", "resource"},
		"empty fragment":           {[]string{"resource", "https://api.example/#"}, "invalid_request", "resource"},
		"long audience":            {[]string{"audience", strings.Repeat("a", 256)}, "invalid_request", "audience"},
		"many audiences": {slices.Collect(func(yield func(string) bool) {
			for i := range 17 {
				if !yield("audience") || !yield(string(rune('a'+i))) {
					return
				}
			}
		}), "invalid_request", "audiences"},
	} {
		t.Run(name, func(t *testing.T) {
			got := d.exchange(t, token, test.parameters...).refused(t, 400, test.code).says(t, test.says)
			if strings.Contains(got.body, token) {
				t.Error("repeats the token")
			}
		})
	}
	for grant, code := range map[string]string{
		"client_credentials": "invalid_request", "refresh_token": "unsupported_grant_type", "urn:x": "unsupported_grant_type",
	} {
		d.form(t, "/oauth2/v2/token", url.Values{"grant_type": {grant}, "client_id": {"x"}, "client_secret": {"y"}}).
			refused(t, 400, code).says(t, "grant_type")
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token}, "subject_token_type": {accessTokenType}}
	d.form(t, "/oauth2/v2/token?"+form.Encode(), form).refused(t, 400, "invalid_request")
	d.send(t, "POST", "/oauth2/v2/token", `{"grant_type":"x"}`, testenv.Header("Content-Type", "application/json")).refused(t, 400, "invalid_request")
	d.send(t, "POST", "/oauth2/v2/token", "grant_type="+strings.Repeat("x", 17<<10), testenv.Header("Content-Type", "application/x-www-form-urlencoded")).
		refused(t, 413, "request_entity_too_large")
}

// A passport is no access token and an access token no passport, whoever signs what.
func TestPassportsAndAccessTokensAreApart(t *testing.T) {
	d := start(t)
	passport := into[map[string]string](t, answer{body: withoutNumbers(d.exchange(t, d.admin, "resource", d.Issuer).wants(t, 200).body)})["access_token"]
	d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(passport)).refused(t, 401, "access_denied")
	d.exchange(t, passport).refused(t, 401, "access_denied")
	d.call(t, "GET", "/oauth2/v2/userinfo", "", as(passport)).refused(t, 401, "access_denied")
	if native := d.Do(t, "GET", "/v2/orgs/acme", "", as(passport)); native.Status != 401 {
		t.Errorf("the native door answers %d", native.Status)
	}
	form := d.Admin.Form()
	form.Set("token", passport)
	if said := d.Post(t, "/introspect", form); said.Body != `{"active":false}` {
		t.Errorf("introspection says %s", said.Body)
	}
	// The claims and type of the one under a key of the other are neither.
	kid, key := d.passportKey(t)
	claims := testenv.Payload(t, d.admin)
	for _, typ := range []string{"at+jwt", "passport+jwt"} {
		forged := sign(t, key, map[string]any{"alg": "ES512", "typ": typ, "kid": kid}, claims)
		d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(forged)).refused(t, 401, "access_denied")
	}
	typed := d.Forge(t, map[string]any{"typ": "passport+jwt"}, claims)
	d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(typed)).refused(t, 401, "access_denied")

	published := d.Do(t, "GET", "/.well-known/jwks.json", "").Body + "\n" + d.call(t, "GET", "/oauth2/v2/jwks", "").wants(t, 200).body
	for _, kid := range []any{testenv.JOSEHeader(t, passport)["kid"], testenv.JOSEHeader(t, d.admin)["kid"]} {
		if strings.Count(published, kid.(string)) != 1 {
			t.Errorf("key %v is published %d times", kid, strings.Count(published, kid.(string)))
		}
	}
}

func withoutNumbers(body string) string { return strings.ReplaceAll(body, `:60`, `:"60"`) }

// passportKey takes the active key of passports out of the store.
func (d *door) passportKey(t *testing.T) (string, *ecdsa.PrivateKey) {
	t.Helper()
	kid, key := d.SigningKeyOf(t, tokens.Passports)
	return kid, key.(*ecdsa.PrivateKey)
}

func sign(t *testing.T, key crypto.Signer, header, claims map[string]any) string {
	t.Helper()
	signed := testenv.Segment(t, header) + "." + testenv.Segment(t, claims)
	digest := sha512.Sum512([]byte(signed))
	r, s, err := ecdsa.Sign(nil, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 132)
	for i, half := range []*big.Int{r, s} {
		half.FillBytes(signature[66*i : 66*(i+1)])
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestUserinfo(t *testing.T) {
	d := start(t)
	bot := d.made(t, "bot")
	want := `{"https://unikorn-cloud.org/authz":{"acctype":"service","orgIds":["` + d.acme.ID.String() + `"]},"sub":"` + bot.Metadata.ID + `"}`
	for _, got := range []answer{
		d.call(t, "GET", "/oauth2/v2/userinfo", "", as(bot.Status.AccessToken)),
		d.send(t, "POST", "/oauth2/v2/userinfo", "", as(bot.Status.AccessToken)),
		d.form(t, "/oauth2/v2/userinfo", url.Values{"access_token": {bot.Status.AccessToken}}),
	} {
		got.wants(t, 200)
		if diff := cmp.Diff(into[map[string]any](t, answer{body: want}), into[map[string]any](t, got)); diff != "" || got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v %s", got.request, got.header, diff)
		}
	}
	for _, got := range []answer{
		d.call(t, "GET", "/oauth2/v2/userinfo", ""),
		d.call(t, "GET", "/oauth2/v2/userinfo?access_token="+bot.Status.AccessToken, ""),
		d.form(t, "/oauth2/v2/userinfo", url.Values{}),
		d.form(t, "/oauth2/v2/userinfo", url.Values{"access_token": {bot.Status.AccessToken + "x"}}),
		d.form(t, "/oauth2/v2/userinfo", url.Values{"access_token": {bot.Status.AccessToken}}, as("x")),
	} {
		got.refused(t, 401, "access_denied")
	}
}
