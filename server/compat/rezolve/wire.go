package rezolve

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// envelope is every answer that is no error.
type envelope struct {
	Success   bool   `json:"success"`
	Message   string `json:"message"`
	Data      any    `json:"data"`
	Timestamp string `json:"timestamp"`
}

// accountPrefix stands before the UUID of an account in the dialect's ids of service accounts.
const accountPrefix = "sa-"

const (
	active   = "active"
	inactive = "inactive"
)

func wireTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// optionalTime is null for the zero time.
func optionalTime(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := wireTime(at)
	return &text
}

type actorWire struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// wireActor shows an account. Of an actor that is none, or not to be seen, there is the subject.
func wireActor(who accounts.Actor) actorWire {
	shown := actorWire{ID: who.Subject, Name: who.Subject, Email: mailbox(who.Subject)}
	if who.ID != uuid.Nil {
		shown.ID, shown.Name = who.ID.String(), who.Name
	}
	return shown
}

// mailbox spells a subject as an address: sa:acme:ci is ci@acme.sa.invalid. Machines read no
// mail, and no mail can be sent to .invalid (RFC 2606, section 2).
func mailbox(subject string) string {
	parts := strings.Split(subject, ":")
	slices.Reverse(parts)
	return parts[0] + "@" + strings.Join(append(parts[1:], "invalid"), ".")
}

type tenantWire struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func wireTenant(org accounts.Org) tenantWire { return tenantWire{ID: org.ID.String(), Name: org.Name} }

type accountWire struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	ClientID     string     `json:"clientId"`
	ClientSecret string     `json:"clientSecret"`
	Type         string     `json:"type"`
	Status       string     `json:"status"`
	Permissions  []string   `json:"permissions"`
	CreatedAt    string     `json:"createdAt"`
	CreatedBy    actorWire  `json:"createdBy"`
	Tenant       tenantWire `json:"tenant"`
}

// clientWire is what every view of a client has.
type clientWire struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	ClientID       string   `json:"clientId"`
	ClientType     string   `json:"clientType"`
	RedirectURIs   []string `json:"redirectUris"`
	GrantTypes     []string `json:"grantTypes"`
	Scopes         []string `json:"scopes"`
	AllowedOrigins []string `json:"allowedOrigins"`
	IPWhitelist    []string `json:"ipWhitelist"`
	Status         string   `json:"status"`
}

// wireClient shows an account by its own id as client id when it has no secret: by that id, too,
// it could authenticate with one.
func (a *api) wireClient(one accounts.Registration) clientWire {
	account, credential := one.Account, one.Credential
	shown := clientWire{
		ID: account.ID.String(), Name: account.Name, Description: account.Description, ClientID: credential.ClientID,
		ClientType: confidential, GrantTypes: []string{clientCredentials}, Scopes: account.Scopes.Patterns(),
		IPWhitelist: rangeTexts(credential.AllowedCIDRs), Status: active,
	}
	if credential.ID == uuid.Nil {
		shown.ClientID = shown.ID
	}
	ended := !credential.ExpiresAt.IsZero() && !a.Now().Before(credential.ExpiresAt)
	if account.Disabled || credential.ID == uuid.Nil || credential.Disabled || ended {
		shown.Status = inactive
	}
	return shown
}

func rangeTexts(prefixes []netip.Prefix) []string {
	texts := make([]string, len(prefixes))
	for i, prefix := range prefixes {
		texts[i] = prefix.String()
	}
	return texts
}

// tokenLifetimes are in seconds; 0 where no such token is issued.
type tokenLifetimes struct {
	AccessTokenLifetime  int64 `json:"accessTokenLifetime"`
	RefreshTokenLifetime int64 `json:"refreshTokenLifetime"`
	IDTokenLifetime      int64 `json:"idTokenLifetime"`
}

type createdClient struct {
	clientWire
	ClientSecret  string         `json:"clientSecret"`
	TokenSettings tokenLifetimes `json:"tokenSettings"`
	PKCERequired  bool           `json:"pkceRequired"`
	CreatedAt     string         `json:"createdAt"`
	CreatedBy     actorWire      `json:"createdBy"`
	Tenant        tenantWire     `json:"tenant"`
}

// lastUse has null for never and, while LastUsedKnown is false, for what is not known.
type lastUse struct {
	LastUsedAt    *string `json:"lastUsedAt"`
	LastUsedKnown bool    `json:"lastUsedKnown"`
}

func wireLastUse(use accounts.LastUse) lastUse {
	return lastUse{LastUsedAt: optionalTime(use.At), LastUsedKnown: !use.Unknown}
}

type listedClient struct {
	clientWire
	PKCERequired bool `json:"pkceRequired"`
	lastUse
	CreatedAt string    `json:"createdAt"`
	CreatedBy actorWire `json:"createdBy"`
}

type clientList struct {
	Clients    []listedClient `json:"clients"`
	Pagination pagination     `json:"pagination"`
}

type pagination struct {
	Total   int  `json:"total"`
	Limit   int  `json:"limit"`
	Offset  int  `json:"offset"`
	HasMore bool `json:"hasMore"`
}

type change struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type setChange struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// changes has only what a write changed.
type changes struct {
	Name        *change    `json:"name,omitzero"`
	Description *change    `json:"description,omitzero"`
	Scopes      *setChange `json:"scopes,omitzero"`
	IPWhitelist *setChange `json:"ipWhitelist,omitzero"`
}

func wireChanges(before, after clientWire) changes {
	text := func(from, to string) *change {
		if from == to {
			return nil
		}
		return &change{from, to}
	}
	set := func(from, to []string) *setChange {
		if slices.Equal(from, to) {
			return nil
		}
		return &setChange{Added: missing(to, from), Removed: missing(from, to)}
	}
	return changes{
		Name: text(before.Name, after.Name), Description: text(before.Description, after.Description),
		Scopes: set(before.Scopes, after.Scopes), IPWhitelist: set(before.IPWhitelist, after.IPWhitelist),
	}
}

// missing lists what of these is not among those.
func missing(these, those []string) []string {
	return slices.DeleteFunc(slices.Clone(these), func(text string) bool { return slices.Contains(those, text) })
}

type updatedClient struct {
	clientWire
	UpdatedAt string    `json:"updatedAt"`
	UpdatedBy actorWire `json:"updatedBy"`
	Changes   changes   `json:"changes"`
}

type deletedClient struct {
	ID                       string    `json:"id"`
	Name                     string    `json:"name"`
	ClientID                 string    `json:"clientId"`
	PreviousStatus           string    `json:"previousStatus"`
	Status                   string    `json:"status"`
	DeletedAt                string    `json:"deletedAt"`
	DeletedBy                actorWire `json:"deletedBy"`
	TokensRevoked            *int      `json:"tokensRevoked,omitzero"`
	ActiveSessionsTerminated int       `json:"activeSessionsTerminated"`
}

type rotatedClient struct {
	clientWire
	ClientSecret string       `json:"clientSecret"`
	Rotation     rotationWire `json:"rotation"`
}

type rotationWire struct {
	RotatedAt     string     `json:"rotatedAt"`
	RotatedBy     actorWire  `json:"rotatedBy"`
	RotationCount int64      `json:"rotationCount"`
	GracePeriod   *graceWire `json:"gracePeriod"`
}

type graceWire struct {
	Enabled                  bool   `json:"enabled"`
	Minutes                  int64  `json:"minutes"`
	PreviousSecretValidUntil string `json:"previousSecretValidUntil"`
}

func wireRotation(made accounts.Issued, by actorWire, overlap time.Duration) rotationWire {
	shown := rotationWire{
		RotatedAt: wireTime(made.Credential.UpdatedAt), RotatedBy: by, RotationCount: rotations(made.Credential),
	}
	if !made.Previous.IsZero() {
		shown.GracePeriod = &graceWire{
			Enabled: true, Minutes: int64(overlap / time.Minute), PreviousSecretValidUntil: wireTime(made.Previous),
		}
	}
	return shown
}

// rotations counts the secrets after the first.
func rotations(credential accounts.Credential) int64 { return max(credential.LastSeq-1, 0) }
