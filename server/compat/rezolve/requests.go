package rezolve

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

const (
	confidential      = "confidential"
	clientCredentials = "client_credentials"
)

// clientBody describes an OAuth client to create, or what to change of one.
type clientBody struct {
	Name           web.Field[string]   `json:"name"`
	Description    web.Field[string]   `json:"description"`
	ClientType     web.Field[string]   `json:"clientType"`
	RedirectURIs   web.Field[[]string] `json:"redirectUris"`
	GrantTypes     web.Field[[]string] `json:"grantTypes"`
	Scopes         web.Field[[]string] `json:"scopes"`
	AllowedOrigins web.Field[[]string] `json:"allowedOrigins"`
	IPWhitelist    web.Field[[]string] `json:"ipWhitelist"`
}

// fieldErrors collects the members of a body that cannot be honoured.
type fieldErrors struct{ fields []accounts.FieldError }

func (f *fieldErrors) that(ok bool, field, message string) {
	if !ok {
		f.fields = append(f.fields, accounts.FieldError{Field: field, Message: message})
	}
}

func (f *fieldErrors) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return &accounts.InvalidError{Fields: f.fields}
}

// create reads the client to make.
func (b clientBody) create() (accounts.NewAccount, error) {
	var bad fieldErrors
	for _, required := range []struct {
		name string
		set  bool
	}{
		{"name", b.Name.Set},
		{"clientType", b.ClientType.Set},
		{"redirectUris", b.RedirectURIs.Set},
		{"grantTypes", b.GrantTypes.Set},
		{"scopes", b.Scopes.Set},
	} {
		bad.that(required.set, required.name, "is required")
	}
	in := accounts.NewAccount{
		Name: b.Name.Value, Description: b.Description.Value, Scopes: b.scopes(&bad),
		Credential: &accounts.FirstCredential{Shape: accounts.Prefixed, AllowedCIDRs: b.ranges(&bad)},
	}
	b.check(&bad)
	return in, bad.err()
}

// patch reads what to change. An array replaces the one before.
func (b clientBody) patch() (accounts.RegistrationPatch, error) {
	var bad fieldErrors
	patch := accounts.RegistrationPatch{
		Account: accounts.AccountPatch{
			Name:        accounts.Optional[string]{Value: b.Name.Value, Present: b.Name.Set},
			Description: accounts.Optional[string]{Value: b.Description.Value, Present: b.Description.Set},
			Scopes:      accounts.Optional[authz.Set]{Value: b.scopes(&bad), Present: b.Scopes.Set},
		},
		AllowedCIDRs: accounts.Optional[[]netip.Prefix]{Value: b.ranges(&bad), Present: b.IPWhitelist.Set},
	}
	b.check(&bad)
	return patch, bad.err()
}

// check refuses what this server does not do, rather than promise it.
func (b clientBody) check(bad *fieldErrors) {
	for _, member := range []struct {
		name string
		null bool
	}{
		{"name", b.Name.Null},
		{"clientType", b.ClientType.Null},
		{"redirectUris", b.RedirectURIs.Null},
		{"grantTypes", b.GrantTypes.Null},
		{"scopes", b.Scopes.Null},
		{"allowedOrigins", b.AllowedOrigins.Null},
		{"ipWhitelist", b.IPWhitelist.Null},
	} {
		bad.that(!member.null, member.name, "must not be null")
	}
	bad.that(!present(b.ClientType) || b.ClientType.Value == confidential, "clientType",
		"only confidential clients are supported: every client has a secret")
	bad.that(!present(b.GrantTypes) || slices.Equal(b.GrantTypes.Value, []string{clientCredentials}), "grantTypes",
		"must be client_credentials alone: no other grant is supported")
	bad.that(len(b.RedirectURIs.Value) == 0, "redirectUris", "must be empty: nobody is redirected in the client_credentials grant")
	bad.that(len(b.AllowedOrigins.Value) == 0, "allowedOrigins", "must be empty: browsers are not served")
}

func present[T any](member web.Field[T]) bool { return member.Set && !member.Null }

// scopes reads the ceiling. An empty one would restrict nothing, which nobody means who sends it.
func (b clientBody) scopes(bad *fieldErrors) authz.Set {
	if !present(b.Scopes) {
		return authz.Set{}
	}
	bad.that(len(b.Scopes.Value) > 0, "scopes", "must name at least one scope")
	set, err := authz.ParseSet(b.Scopes.Value)
	bad.that(err == nil, "scopes", "at most 64 patterns of at most 128 bytes, such as api:read")
	return set
}

// ranges reads addresses and ranges of addresses.
func (b clientBody) ranges(bad *fieldErrors) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(b.IPWhitelist.Value))
	for i, text := range b.IPWhitelist.Value {
		prefix, ok := parseRange(text)
		bad.that(ok, "ipWhitelist["+strconv.Itoa(i)+"]", "must be an address or a range such as 192.0.2.0/24")
		prefixes[i] = prefix
	}
	return prefixes
}

func parseRange(text string) (netip.Prefix, bool) {
	if single, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(single, single.BitLen()), single.Zone() == ""
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix, err == nil
}

// rotationBody borrows its member from the vendor's rotation of API keys.
type rotationBody struct {
	GracePeriodMinutes int64 `json:"gracePeriodMinutes"`
}

const maxGraceMinutes = int64(accounts.MaxOverlap / time.Minute)

func (b rotationBody) overlap() (time.Duration, error) {
	var bad fieldErrors
	bad.that(b.GracePeriodMinutes >= 0 && b.GracePeriodMinutes <= maxGraceMinutes, "gracePeriodMinutes",
		"must be a whole number from 0 to "+strconv.FormatInt(maxGraceMinutes, 10))
	return time.Duration(b.GracePeriodMinutes) * time.Minute, bad.err()
}
