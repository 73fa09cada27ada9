package admin

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

// fieldErrors collects the members of a request that cannot be read.
type fieldErrors struct{ fields []accounts.FieldError }

func (f *fieldErrors) add(field, message string) {
	f.fields = append(f.fields, accounts.FieldError{Field: field, Message: message})
}

func (f *fieldErrors) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return &accounts.InvalidError{Fields: f.fields}
}

func invalid(field, message string) error {
	return &accounts.InvalidError{Fields: []accounts.FieldError{{Field: field, Message: message}}}
}

// set reads patterns.
func (f *fieldErrors) set(field string, texts []string) authz.Set {
	set, err := authz.ParseSet(texts)
	if err != nil {
		f.add(field, "at most 64 patterns of at most 128 bytes, such as llm:* or orgs:roles:read")
	}
	return set
}

// ids reads ids in either spelling.
func (f *fieldErrors) ids(field string, texts []string) []uuid.UUID {
	ids := make([]uuid.UUID, len(texts))
	for i, text := range texts {
		id, ok := accounts.ParseID(text)
		if !ok {
			f.add(field+"["+strconv.Itoa(i)+"]", "must be an id")
		}
		ids[i] = id
	}
	return ids
}

// cidrs reads address ranges.
func (f *fieldErrors) cidrs(field string, texts []string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			f.add(field+"["+strconv.Itoa(i)+"]", "must be an address range such as 192.0.2.0/24")
		}
		prefixes[i] = prefix
	}
	return prefixes
}

// present reads a member that may be absent, but not null.
func present[T any](f *fieldErrors, field string, member web.Field[T]) accounts.Optional[T] {
	if member.Null {
		f.add(field, "must not be null")
	}
	return accounts.Optional[T]{Value: member.Value, Present: member.Set}
}

// clearable reads a member that null clears.
func clearable[T any](member web.Field[T]) accounts.Optional[T] {
	return accounts.Optional[T]{Value: member.Value, Present: member.Set}
}

// converted is clearable for a member that reads differently in the domain.
func converted[T, U any](member web.Field[T], convert func(T) U) accounts.Optional[U] {
	if !member.Set || member.Null {
		return accounts.Optional[U]{Present: member.Set}
	}
	return accounts.Some(convert(member.Value))
}

// text reads a member whose empty text would mean something else than it says.
func (f *fieldErrors) text(field string, member web.Field[string]) accounts.Optional[string] {
	if member.Set && !member.Null && member.Value == "" {
		f.add(field, "must not be empty")
	}
	return clearable(member)
}

// lastYear is the last that a date of RFC 3339 can spell.
const lastYear = 9999

// expiry reads a time that null leaves open.
func (f *fieldErrors) expiry(field string, member web.Field[time.Time]) accounts.Optional[time.Time] {
	if member.Set && !member.Null && (member.Value.IsZero() || member.Value.UTC().Year() > lastYear) {
		f.add(field, "must be in the future, before the year 10000")
	}
	return converted(member, stored)
}

// unfit stands for a number of seconds that no rule permits.
const unfit = -time.Second

// positiveSeconds is a duration of at least a second.
func positiveSeconds(n int64) time.Duration {
	if n < 1 {
		return unfit
	}
	return wholeSeconds(n)
}

func wholeSeconds(n int64) time.Duration {
	if n < 0 || n > math.MaxInt32 {
		return unfit
	}
	return time.Duration(n) * time.Second
}

// stored cuts a time to what the store keeps.
func stored(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

// timeLayout has microseconds, as the store keeps them, so that a time read and sent back is the same.
const timeLayout = "2006-01-02T15:04:05.000000Z"

func wireTime(at time.Time) string { return at.UTC().Format(timeLayout) }

// optionalTime is null for the zero time.
func optionalTime(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := wireTime(at)
	return &text
}

// optionalText is null for the empty text.
func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// stamp is who made and changed an object, as every object has it.
type stamp struct {
	CreatedAt string `json:"createdAt"`
	CreatedBy string `json:"createdBy"`
	UpdatedAt string `json:"updatedAt"`
	UpdatedBy string `json:"updatedBy"`
	Version   int64  `json:"version"`
}

func wireStamp(s accounts.Stamp, version int64) stamp {
	return stamp{
		CreatedAt: wireTime(s.CreatedAt), CreatedBy: s.CreatedBy,
		UpdatedAt: wireTime(s.UpdatedAt), UpdatedBy: s.UpdatedBy, Version: version,
	}
}

func idTexts(ids []uuid.UUID) []string {
	return wires(ids, uuid.UUID.String)
}

// roleName drops the prefix of Prisme's built-in roles, so that org:x in a path means x.
func roleName(text string) string { return strings.TrimPrefix(text, "org:") }
