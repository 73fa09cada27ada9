package accounts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// Limits of what an administrator may write.
const (
	MaxNameRunes        = 200
	MaxDescriptionRunes = 500
	MaxTags             = 50
	MaxTagRunes         = 255
	MaxAudiences        = 32
	MaxURIBytes         = 255
	MaxCIDRs            = 64
	MaxGroupsOfAccount  = 8
	MaxRolesOfGroup     = 8
	MaxMembersOfGroup   = 1000
	MaxSecrets          = 10 // live secrets of one credential
	MaxTokenLifetime    = time.Hour
	MaxOverlap          = 30 * 24 * time.Hour
)

var reservedSlugs = []string{SystemOrg, "self", "batch"}

// check collects the fields of an input that break a rule.
type check struct{ fields []FieldError }

func (c *check) that(ok bool, field, message string) {
	if !ok {
		c.fields = append(c.fields, FieldError{Field: field, Message: message})
	}
}

func (c *check) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &InvalidError{Fields: c.fields}
}

func invalid(field, message string) error {
	return &InvalidError{Fields: []FieldError{{Field: field, Message: message}}}
}

func (c *check) slug(slug string) {
	c.that(ValidSlug(slug), "slug", "1 to 63 of a-z, 0-9 and single inner hyphens")
	c.that(!slices.Contains(reservedSlugs, slug), "slug", "is reserved")
	c.that(!looksLikeID(slug), "slug", "must not look like an id")
}

func (c *check) name(name string) {
	c.that(name != "" && strings.TrimSpace(name) == name && printable(name, MaxNameRunes), "name",
		"1 to 200 printable characters, no space at the ends")
}

func (c *check) account(account ServiceAccount) {
	c.name(account.Name)
	c.description(account.Description)
	c.tags(account.Tags)
	c.tokenLifetime(account.TokenLifetime)
}

func (c *check) groups(ids []uuid.UUID) {
	c.that(len(ids) <= MaxGroupsOfAccount, "groups", "at most 8")
}

func (c *check) description(text string) {
	c.that(multiline(text, MaxDescriptionRunes), "description", "at most 500 characters")
}

func (c *check) tags(tags []Tag) {
	c.that(len(tags) <= MaxTags, "tags", "at most 50")
	names := map[string]bool{}
	for _, tag := range tags {
		c.that(tag.Name != "" && printable(tag.Name, MaxTagRunes) && printable(tag.Value, MaxTagRunes), "tags",
			"a name and a value of at most 255 printable characters each")
		c.that(!names[tag.Name], "tags", "each name once")
		names[tag.Name] = true
	}
}

func (c *check) tokenLifetime(lifetime time.Duration) {
	c.that(lifetime >= 0 && lifetime <= MaxTokenLifetime && lifetime%time.Second == 0, "tokenLifetimeSeconds", "1 to 3600")
}

func (c *check) cidrs(prefixes []netip.Prefix) {
	c.that(len(prefixes) <= MaxCIDRs, "allowedCidrs", "at most 64")
	for _, p := range prefixes {
		// An address is compared in its IPv4 form, which lies in no mapped range.
		c.that(p.IsValid() && p.Masked() == p && !p.Addr().Is4In6(), "allowedCidrs", "an address range such as 192.0.2.0/24, without host bits")
	}
}

func (c *check) expiry(at, now time.Time) {
	c.that(at.IsZero() || at.After(now), "expiresAt", "must be in the future")
}

// audiences checks the URIs of an org. What lies under the issuer belongs to an org by
// nature and is never assigned.
func (c *check) audiences(issuer string, uris []string) {
	c.that(len(uris) <= MaxAudiences, "audiences", "at most 32")
	for _, uri := range uris {
		c.that(ValidResource(uri), "audiences", "absolute URIs without fragment, at most 255 bytes")
		rest, under := strings.CutPrefix(uri, issuer)
		c.that(!under || (rest != "" && rest[0] != '/' && rest[0] != '?'), "audiences", "must not lie under the issuer")
	}
}

// scopesLeave refuses a ceiling under which nothing of what the roles permit is left, as
// that is a mistake and not a restriction.
func (c *check) scopesLeave(permitted power, ceiling authz.Set) {
	c.that(permitted.all.Empty() || !permitted.restrict(ceiling).all.Empty(), "scopes", "leave nothing of what the roles permit")
}

// fits refuses roles that together would allow nothing because they are too many.
func (c *check) fits(sum power, field string) {
	c.that(!sum.excess, field, fmt.Sprintf("adds up to more than %d permissions, with the other roles", authz.MaxHeld))
}

func printable(text string, maxRunes int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxRunes &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func multiline(text string, maxRunes int) bool {
	flat := strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
	return printable(flat, maxRunes)
}
