package accounts

import (
	"encoding/base32"
	"regexp"

	"github.com/google/uuid"
)

// MaxSlugBytes is the length limit of a slug.
const MaxSlugBytes = 63

var (
	slugShape = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9])*$`)
	shortForm = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

const shortIDLen = 26

// Ref is how a path names an object: by id, in either spelling, or by slug. Ids win.
type Ref struct {
	ID   uuid.UUID // zero when Slug is set
	Slug string
}

// ByID refers to an object by its id.
func ByID(id uuid.UUID) Ref { return Ref{ID: id} }

// BySlug refers to an object by its slug, whatever it looks like.
func BySlug(slug string) Ref { return Ref{Slug: slug} }

// names reports whether r refers to the object with this id and slug.
func (r Ref) names(id uuid.UUID, slug string) bool {
	if r.ID != (uuid.UUID{}) {
		return r.ID == id
	}
	return r.Slug != "" && r.Slug == slug
}

// ParseRef reads a path segment. Text that is neither an id nor a slug refers to nothing.
func ParseRef(text string) Ref {
	if id, ok := ParseID(text); ok {
		return Ref{ID: id}
	}
	if !ValidSlug(text) {
		return Ref{}
	}
	return Ref{Slug: text}
}

// ParseID reads an id in either canonical spelling: a lower-case UUID, or the same
// 16 bytes as 26 lower-case base32 characters (RFC 4648).
func ParseID(text string) (uuid.UUID, bool) {
	var id uuid.UUID
	switch len(text) {
	case 36:
		parsed, err := uuid.Parse(text)
		if err != nil || parsed.String() != text {
			return uuid.UUID{}, false
		}
		id = parsed
	case shortIDLen:
		raw, err := shortForm.DecodeString(text)
		if err != nil || len(raw) != len(id) {
			return uuid.UUID{}, false
		}
		copy(id[:], raw)
		if ShortID(id) != text {
			return uuid.UUID{}, false
		}
	default:
		return uuid.UUID{}, false
	}
	return id, id != uuid.UUID{}
}

// looksLikeID reports whether text could be taken for an id, canonical or not.
func looksLikeID(text string) bool {
	var err error
	switch len(text) {
	case 36:
		_, err = uuid.Parse(text)
	case shortIDLen:
		_, err = shortForm.DecodeString(text)
	default:
		return false
	}
	return err == nil
}

// ShortID spells an id as 26 lower-case base32 characters.
func ShortID(id uuid.UUID) string { return shortForm.EncodeToString(id[:]) }

// ValidSlug reports whether text has the shape of a slug.
func ValidSlug(text string) bool { return len(text) <= MaxSlugBytes && slugShape.MatchString(text) }
