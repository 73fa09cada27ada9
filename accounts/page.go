package accounts

import (
	"bytes"

	"github.com/google/uuid"
)

// ByIDs reports whether the list is sorted by id alone.
func (q Query) ByIDs() bool { return q.ByID || q.After != uuid.Nil || q.Before != uuid.Nil }

// check refuses a query that says twice where its page lies.
func (q Query) check() error {
	var rules check
	rules.that(q.After == uuid.Nil || q.Before == uuid.Nil, "before", "must not come with after")
	rules.that(q.Offset == 0 || (q.After == uuid.Nil && q.Before == uuid.Nil), "offset", "must not come with after or before")
	return rules.err()
}

// pageOfOne is where a list of one object is cut. Shown reports whether the object is in the page.
func (q Query) pageOfOne(id uuid.UUID) (page Page, shown bool) {
	switch {
	case q.Offset > 0, q.After != uuid.Nil && bytes.Compare(id[:], q.After[:]) <= 0:
		return Page{Total: 1, Prev: true}, false
	case q.Limit < 1, q.Before != uuid.Nil && bytes.Compare(id[:], q.Before[:]) >= 0:
		return Page{Total: 1, Next: true}, false
	}
	return Page{Total: 1}, true
}
