package audit_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/audit"
)

func TestNew(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	org := audit.Org{ID: uuid.MustParse("018f0000-0000-7000-8000-000000000001"), Slug: "acme"}
	got, err := audit.New(strings.NewReader(strings.Repeat("x", 16)), now, audit.RoleCreated, org, "role:acme:api")
	if err != nil {
		t.Fatal(err)
	}
	if got.ID.Version() != 7 {
		t.Errorf("id %s is not of version 7", got.ID)
	}
	want := audit.Event{
		ID: got.ID, Time: now, Type: "organizations.roles.created", OrgID: org.ID, OrgSlug: "acme",
		Target: "role:acme:api", Outcome: audit.Succeeded,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	broken := errors.New("no entropy")
	if got, err := audit.New(iotest.ErrReader(broken), now, audit.RoleCreated, org, "x"); !errors.Is(err, broken) || got != (audit.Event{}) {
		t.Errorf("New = %+v, %v", got, err)
	}
}
