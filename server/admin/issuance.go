package admin

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// defaultExpiresIn is what a token of this door lives unless the server allows less.
const defaultExpiresIn = time.Hour

type tokenBody struct {
	ClientSecret secret.Text `json:"clientSecret"`
	ExpiresIn    *int64      `json:"expiresIn"`
}

type tokenAnswer struct {
	AccessToken string   `json:"accessToken"`
	ExpiresAt   string   `json:"expiresAt"`
	TokenType   string   `json:"tokenType"`
	Permissions []string `json:"permissions"`
	Scopes      []string `json:"scopes"`
}

// issueToken trades the secret of an account for a token. The path names the account and the
// body proves it: no bearer token is asked for.
func (a *api) issueToken(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r, nil); err != nil {
		return err
	}
	// One proof a request: a second one must not be passed over in silence.
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Basic") {
		return invalid("Authorization", "must not come with a clientSecret in the body")
	}
	var body tokenBody
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	lifetime, err := body.lifetime()
	if err != nil {
		return err
	}
	from := web.ClientAddr(r.Context())
	claim := accounts.Claim{
		ID:   accounts.UserID(web.Var(r, "org"), web.Var(r, "slug")), // by which failures are counted
		From: from,
		At: accounts.AccountRef{
			Org: accounts.ParseRef(web.Var(r, "org")), Account: accounts.ParseRef(web.Var(r, "slug")),
		},
	}
	client, err := a.clients.BySecret(r.Context(), claim, body.ClientSecret)
	if err != nil {
		return err
	}
	token, err := a.issuer.Issue(r.Context(), client, tokens.Request{Lifetime: lifetime, From: from, UserAgent: r.UserAgent()})
	if err != nil {
		return err
	}
	standing := client.Standing()
	web.NoStore(w)
	return web.WriteJSON(w, http.StatusOK, tokenAnswer{
		AccessToken: token.Value.Reveal(), ExpiresAt: wireTime(token.Claims.ExpiresAt), TokenType: "Bearer",
		Permissions: standing.RolePermissions.Patterns(), Scopes: standing.AccountScopes.Patterns(),
	})
}

// lifetime is what is asked for; the issuer caps it.
func (b tokenBody) lifetime() (time.Duration, error) {
	var bad fieldErrors
	if strings.TrimSpace(b.ClientSecret.Reveal()) == "" {
		bad.add("clientSecret", "is required")
	}
	lifetime := defaultExpiresIn
	if b.ExpiresIn != nil {
		if *b.ExpiresIn < 1 {
			bad.add("expiresIn", "must be at least 1")
		}
		lifetime = time.Duration(min(*b.ExpiresIn, math.MaxInt32)) * time.Second
	}
	return lifetime, bad.err()
}
