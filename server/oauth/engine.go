package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-oauth2/oauth2/v4"
	oauth2errors "github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/server"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// engine drives go-oauth2 by its exported steps. The library decides on the grant, looks up
// the client, asks for the token and words the answer; what it would read from a request
// by itself, or keep, it gets from an [exchange].
type engine struct{ server *server.Server }

// exchange is one request at the token endpoint.
type exchange struct {
	grantType string
	form      url.Values
	asked     tokens.Request
	client    accounts.Client // once proven
}

type exchangeKey struct{}

func newEngine(clients *authn.Clients, issuer *tokens.Issuer) *engine {
	manager := manage.NewManager()
	manager.MapClientStorage(provenClients{})
	manager.MapAccessGenerate(accessTokens{issuer})
	manager.MapTokenStorage(noStore{})
	manager.SetClientTokenCfg(&manage.Config{})
	srv := server.NewServer(&server.Config{
		TokenType:         "Bearer",
		AllowedGrantTypes: []oauth2.GrantType{oauth2.ClientCredentials},
	}, manager)
	srv.ClientInfoHandler = prove(clients)
	srv.InternalErrorHandler = describe
	srv.ResponseTokenHandler = writeData
	return &engine{server: srv}
}

// serve takes an exchange through the library's steps. Nothing of the client is looked at
// before it is proven.
func (e *engine) serve(w http.ResponseWriter, r *http.Request, x *exchange) error {
	grant := oauth2.GrantType(x.grantType)
	if !e.server.CheckGrantType(grant) {
		return errGrantType
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	clientID, _, err := e.server.ClientInfoHandler(r)
	if err != nil {
		return err
	}
	info, err := e.server.GetAccessToken(r.Context(), grant, &oauth2.TokenGenerateRequest{ClientID: clientID, Request: r})
	if err != nil {
		return ourError(err)
	}
	data := e.server.GetTokenData(info)
	data["scope"] = info.GetScope() // the library leaves it out when nothing is granted
	return e.server.ResponseTokenHandler(w, data, nil)
}

// fail words a failure and sends it.
func (e *engine) fail(w http.ResponseWriter, f *failure) error {
	data, status, header := e.server.GetErrorData(f)
	return e.server.ResponseTokenHandler(w, data, header, status)
}

func exchangeFrom(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// prove is the only step that authenticates. The library never sees a secret.
func prove(clients *authn.Clients) server.ClientInfoHandler {
	return func(r *http.Request) (clientID, clientSecret string, err error) {
		x := exchangeFrom(r.Context())
		if x.client, err = clients.FromRequest(r, x.form); err != nil {
			return "", "", err
		}
		return x.client.Standing().ClientID, "", nil
	}
}

// provenClients knows the client that this very request has proven, and no other.
type provenClients struct{}

// GetByID implements [oauth2.ClientStore].
func (provenClients) GetByID(ctx context.Context, id string) (oauth2.ClientInfo, error) {
	proven := exchangeFrom(ctx).client.Standing().ClientID
	if proven == "" || proven != id {
		return nil, oauth2errors.ErrInvalidClient
	}
	return provenClient{id: id}, nil
}

// provenClient is a client that needs no further proof.
type provenClient struct{ id string }

var _ oauth2.ClientPasswordVerifier = provenClient{}

func (c provenClient) GetID() string            { return c.id }
func (provenClient) GetSecret() string          { return "" }
func (provenClient) GetDomain() string          { return "" }
func (provenClient) IsPublic() bool             { return false }
func (provenClient) GetUserID() string          { return "" }
func (provenClient) VerifyPassword(string) bool { return true }

// accessTokens makes tokens by [tokens.Issuer.Issue].
type accessTokens struct{ issuer *tokens.Issuer }

// Token implements [oauth2.AccessGenerate]. There are no refresh tokens.
func (a accessTokens) Token(ctx context.Context, data *oauth2.GenerateBasic, _ bool) (access, refresh string, err error) {
	x := exchangeFrom(ctx)
	token, err := a.issuer.Issue(ctx, x.client, x.asked)
	if err != nil {
		return "", "", err
	}
	data.TokenInfo.SetScope(token.Claims.Scope.String())
	data.TokenInfo.SetAccessExpiresIn(token.Lifetime)
	return token.Value.Reveal(), "", nil
}

// noStore keeps nothing: the issuer has recorded the token.
type noStore struct{}

func (noStore) Create(context.Context, oauth2.TokenInfo) error { return nil }

func (noStore) RemoveByCode(context.Context, string) error { return nil }

func (noStore) RemoveByAccess(context.Context, string) error { return nil }

func (noStore) RemoveByRefresh(context.Context, string) error { return nil }

func (noStore) GetByCode(context.Context, string) (oauth2.TokenInfo, error) { return nil, nil }

func (noStore) GetByAccess(context.Context, string) (oauth2.TokenInfo, error) { return nil, nil }

func (noStore) GetByRefresh(context.Context, string) (info oauth2.TokenInfo, err error) {
	return nil, nil
}

// ourError translates what the library itself finds wrong.
func ourError(err error) error {
	switch {
	case errors.Is(err, oauth2errors.ErrInvalidClient):
		return accounts.ErrUnauthenticated
	case errors.Is(err, oauth2errors.ErrUnsupportedGrantType), errors.Is(err, oauth2errors.ErrUnauthorizedClient):
		return errGrantType
	}
	return err
}

// describe hands a [failure] to the library. It gets nothing else: it looks errors up in
// maps, which is wrong for wrapped ones and panics on some.
func describe(err error) *oauth2errors.Response {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = errInternal
	}
	response := oauth2errors.NewResponse(oauth2errors.New(f.code), f.status)
	response.Description, response.Header = f.description, f.header
	return response
}

// writeData sends an answer of the token endpoint.
func writeData(w http.ResponseWriter, data map[string]any, header http.Header, status ...int) error {
	for name, values := range header {
		w.Header()[name] = values
	}
	web.NoStore(w)
	code := http.StatusOK
	if len(status) > 0 {
		code = status[0]
	}
	return web.WriteJSON(w, code, data)
}
