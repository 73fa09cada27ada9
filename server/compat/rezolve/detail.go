package rezolve

import (
	"strings"

	"github.com/signet-issuer/signet/accounts"
)

// clientDetail is a client with everything that there is to say of it. What the vendor has and
// this server does not count, such as requests, is left out.
type clientDetail struct {
	clientWire
	TokenSettings tokenSettings `json:"tokenSettings"`
	PKCESettings  pkceSettings  `json:"pkceSettings"`
	Consent       consent       `json:"consent"`
	Security      security      `json:"security"`
	Usage         usage         `json:"usage"`
	Audit         auditTrail    `json:"audit"`
	Tenant        tenantWire    `json:"tenant"`
}

type tokenSettings struct {
	tokenLifetimes
	TokenFormat          string `json:"tokenFormat"`
	RefreshTokenRotation bool   `json:"refreshTokenRotation"`
	ReuseInterval        int64  `json:"reuseInterval"`
}

type pkceSettings struct {
	Required            bool     `json:"required"`
	AllowPlainChallenge bool     `json:"allowPlainChallenge"`
	SupportedMethods    []string `json:"supportedMethods"`
}

type consent struct {
	RequireConsent           bool  `json:"requireConsent"`
	SkipConsentForFirstParty bool  `json:"skipConsentForFirstParty"`
	ConsentLifetime          int64 `json:"consentLifetime"`
}

type security struct {
	RequireClientAuthentication bool     `json:"requireClientAuthentication"`
	AllowedAuthMethods          []string `json:"allowedAuthMethods"`
	EnforceHTTPS                bool     `json:"enforceHttps"`
	ValidateRedirectURI         bool     `json:"validateRedirectUri"`
}

type usage struct {
	ActiveTokenCount *int `json:"activeTokenCount,omitzero"`
	lastUse
	LastUsedFromIP *string `json:"lastUsedFromIp"`
}

type auditTrail struct {
	CreatedAt           string    `json:"createdAt"`
	CreatedBy           actorWire `json:"createdBy"`
	UpdatedAt           string    `json:"updatedAt"`
	UpdatedBy           actorWire `json:"updatedBy"`
	LastSecretRotatedAt *string   `json:"lastSecretRotatedAt"`
	SecretRotationCount int64     `json:"secretRotationCount"`
}

func (a *api) wireDetail(one accounts.Registration, who map[string]accounts.Actor, live *int) clientDetail {
	account := one.Account
	shown := clientDetail{
		clientWire:    a.wireClient(one),
		TokenSettings: tokenSettings{tokenLifetimes: a.lifetimes(account), TokenFormat: "jwt"},
		Security: security{
			RequireClientAuthentication: true, AllowedAuthMethods: []string{"client_secret_post", "client_secret_basic"},
			EnforceHTTPS: strings.HasPrefix(a.Issuer, "https://"), ValidateRedirectURI: true,
		},
		Usage: usage{ActiveTokenCount: live, lastUse: wireLastUse(account.LastUse)},
		Audit: auditTrail{
			CreatedAt: wireTime(account.CreatedAt), CreatedBy: wireActor(who[account.CreatedBy]),
			UpdatedAt: wireTime(account.UpdatedAt), UpdatedBy: wireActor(who[account.UpdatedBy]),
			LastSecretRotatedAt: optionalTime(one.RotatedAt), SecretRotationCount: rotations(one.Credential),
		},
		Tenant: wireTenant(one.Org),
	}
	if addr := account.LastUse.Addr; addr.IsValid() {
		text := addr.String()
		shown.Usage.LastUsedFromIP = &text
	}
	return shown
}
