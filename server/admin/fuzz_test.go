package admin_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/admin"
)

var cursorSeeds = []string{
	"", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "dgm4djt7gr6mdhi6hjny6lcnae", "DGM4DJT7GR6MDHI6HJNY6LCNAE",
	"0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01", "dgm4djt7gr6mdhi6hjny6lcnab", "' OR 1=1 --", "aaaaaaaaaaaaaaaaaaaaaaaaa\x00",
}

// A cursor is an id in one spelling: what is accepted is printed back the same, so that
// nothing else of it reaches SQL.
func FuzzCursor(f *testing.F) {
	accepted := 0
	for _, seed := range append(cursorSeeds, admin.Cursor(uuid.MustParse("0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"))) {
		f.Add(seed)
		if _, ok := admin.ParseCursor(seed); ok {
			accepted++
		}
	}
	if accepted == 0 || accepted == len(cursorSeeds)+1 {
		f.Fatalf("%d of the seeds are cursors", accepted)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := admin.ParseCursor(text)
		if !ok {
			return
		}
		if id == uuid.Nil || admin.Cursor(id) != text || !ascii(text) {
			t.Errorf("accepted %q as %s", text, id)
		}
	})
}

var slugSeeds = []string{
	"acme", "a", "a-b", "-a", "a-", "a--b", "A", "acmé", "a.b", "system", "org:x", "ａｃｍｅ", "",
	"0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01", "aaaaaaaaaaaaaaaaaaaaaaaaae", "0199C1A2-7F34-7CC1-9D1E-3A5B8F2C4D01",
}

// A path segment refers to an id or a slug, never both; what is accepted is ASCII and says
// the same when it is written again.
func FuzzSlug(f *testing.F) {
	accepted := 0
	for _, seed := range slugSeeds {
		f.Add(seed)
		if accounts.ParseRef(seed) != (accounts.Ref{}) {
			accepted++
		}
	}
	if accepted == 0 || accepted == len(slugSeeds) {
		f.Fatalf("%d of the seeds refer to something", accepted)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref := accounts.ParseRef(text)
		if ref == (accounts.Ref{}) {
			if accounts.ValidSlug(text) {
				t.Errorf("%q is a slug and refers to nothing", text)
			}
			return
		}
		if !ascii(text) || (ref.ID != uuid.Nil && ref.Slug != "") {
			t.Errorf("%q refers to %+v", text, ref)
		}
		again := ref.Slug
		if ref.ID != uuid.Nil {
			again = accounts.ShortID(ref.ID)
		} else if !accounts.ValidSlug(ref.Slug) || ref.Slug != text {
			t.Errorf("%q became the slug %q", text, ref.Slug)
		}
		if accounts.ParseRef(again) != ref {
			t.Errorf("%q and %q refer to different things", text, again)
		}
	})
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
