package authn_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/server/web"
)

func TestStandard11_BySecret(t *testing.T) {
	env := start(t)
	env.Clock.Stop()
	bot := env.Machine(t, "acme", "bot", "api")
	claim := accounts.Claim{ID: bot.Account.UserID(), From: netip.MustParseAddr("192.0.2.1")}
	client, err := env.Clients.BySecret(t.Context(), claim, secret.New(bot.Secret))
	if err != nil || client.Standing().ClientID != bot.ID {
		t.Fatalf("%v, %v", client.Standing().ClientID, err)
	}
	for range 30 {
		if _, err := env.Clients.BySecret(t.Context(), claim, secret.New("x")); !errors.Is(err, accounts.ErrUnauthenticated) {
			t.Fatal(err)
		}
	}
	_, err = env.Clients.BySecret(t.Context(), claim, secret.New("x"))
	refused, ok := errors.AsType[*web.Error](err)
	if !ok || refused.Kind != web.KindTooManyRequests || refused.Header.Get("Retry-After") == "" {
		t.Errorf("failure 31: %v", err)
	}
	if _, err := env.Clients.BySecret(t.Context(), claim, secret.New(bot.Secret)); err != nil {
		t.Errorf("the right secret after 31 failures: %v", err)
	}
	if _, err := env.Clients.BySecret(t.Context(), accounts.Claim{ID: "x"}, secret.New(bot.Secret)); !errors.Is(err, accounts.ErrUnauthenticated) {
		t.Errorf("a claim that names nobody, from nowhere: %v", err)
	}
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Clients.BySecret(t.Context(), claim, secret.New("x")); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("without storage: %v", err)
	}
}
