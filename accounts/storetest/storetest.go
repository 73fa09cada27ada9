// Package storetest holds the conformance suite that every [accounts.Store] passes.
package storetest

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/signet-issuer/signet/accounts"
)

// KeySetVersion is the version that the key set of an opened store must be at.
const KeySetVersion = 7

// Run checks a kind of store. open returns an empty one, which it closes when t ends.
func Run(t *testing.T, open func(t *testing.T) accounts.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Orgs", testOrgs},
		{"OrgAudiences", testOrgAudiences},
		{"TestI36_DeletedOrgs", testDeletedOrgs},
		{"Roles", testRoles},
		{"RolesInUse", testRolesInUse},
		{"Groups", testGroups},
		{"TestI19_MembershipHasTwoSides", testMembership},
		{"MembershipOfStrangers", testStrangers},
		{"MembershipCounts", testMembershipCounts},
		{"Accounts", testAccounts},
		{"TestI13_DeletedAccounts", testDeletedAccounts},
		{"EnabledOwners", testEnabledOwners},
		{"CredentialsOfOwners", testOwnersCredentials},
		{"Quota", testQuota},
		{"Credentials", testCredentials},
		{"MainCredential", testMain},
		{"Secrets", testSecrets},
		{"Peppers", testPeppers},
		{"TestI33_OthersLookAbsent", testTenancy},
		{"Search", testSearch},
		{"Pages", testPages},
		{"Cursors", testCursors},
		{"CursorsOfEveryList", testCursorsOfAll},
		{"TakenNames", testTaken},
		{"NotFoundNamesWhat", testNotFound},
		{"TestI46_LastUse", testLastUse},
		{"TestI46_LastUseOutlivesItsSecret", testLastUseFolds},
		{"TestI46_UsesOfWhatIsGone", testStrayUses},
		{"Sweep", testSweep},
		{"Standing", testStanding},
		{"StandingOfLittle", testBareStanding},
		{"StandingNotFound", testNoStanding},
		{"TestI9_StandingShowsEveryWrite", testStandingFollows},
		{"TestI44_Evidence", testEvidence},
		{"TestI44_WriteWithoutOneEventIsRefused", testOneEvent},
		{"TestI18_Receipts", testReceipts},
		{"TestI17_FailedWritesLeaveNoTrace", testFailedWrites},
		{"TestI17_FailedMethodsLeaveNoTrace", testFailedMethods},
		{"Snapshot", testSnapshot},
		{"EndedContext", testEndedContext},
		{"Concurrency", testConcurrency},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, &suite{store: open(t)}) })
	}
}

// suite is one store under test.
type suite struct{ store accounts.Store }

// try runs fn in a write that records an event after it.
func (s *suite) try(t *testing.T, fn func(accounts.Tx) error) error {
	t.Helper()
	return s.store.Write(t.Context(), actor, func(tx accounts.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Record(t.Context(), newEvent(newID()))
	})
}

func (s *suite) write(t *testing.T, fn func(accounts.Tx) error) {
	t.Helper()
	if err := s.try(t, fn); err != nil {
		t.Fatal(err)
	}
}

// refuse demands that a write fails with target.
func (s *suite) refuse(t *testing.T, what string, target error, fn func(accounts.Tx) error) {
	t.Helper()
	if err := s.try(t, fn); !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}

func tryRead[T any](t *testing.T, s *suite, fn func(accounts.Reader) (T, error)) (result T, err error) {
	t.Helper()
	err = s.store.Read(t.Context(), func(r accounts.Reader) (err error) {
		result, err = fn(r)
		return err
	})
	return result, err
}

func read[T any](t *testing.T, s *suite, fn func(accounts.Reader) (T, error)) T {
	t.Helper()
	result, err := tryRead(t, s, fn)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// absent demands that a read answers [accounts.ErrNotFound].
func absent[T any](t *testing.T, s *suite, what string, fn func(accounts.Reader) (T, error)) {
	t.Helper()
	if got, err := tryRead(t, s, fn); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("%s: %v, %v, want ErrNotFound", what, got, err)
	}
}

// same compares objects. Times must be equal in location too: the store answers in UTC.
func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	diff := cmp.Diff(want, got, cmpopts.EquateEmpty(),
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }))
	if diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

// page lets a list be read as one value.
type page[T any] struct {
	List  []T
	Total int
}

func paged[T any](list []T, at accounts.Page, err error) (page[T], error) {
	return page[T]{list, at.Total}, err
}

// all selects everything that a test makes.
var all = accounts.Query{Limit: 1000}

// versioned is how one kind of object is read and conditionally updated.
type versioned[T any] struct {
	get     func(accounts.Reader) (T, error)
	update  func(accounts.Tx, T) error
	version func(*T) *int64
}

// check updates the stored object to changed, which has its version, and then again.
func (v versioned[T]) check(t *testing.T, s *suite, changed T) {
	t.Helper()
	requireNoZero(t, changed)
	s.write(t, func(tx accounts.Tx) error { return v.update(tx, changed) })
	want := changed
	*v.version(&want)++
	same(t, "after an update", want, read(t, s, v.get))
	s.refuse(t, "an update of the version before", accounts.ErrConflict, func(tx accounts.Tx) error { return v.update(tx, changed) })
	same(t, "after a refused update", want, read(t, s, v.get))
}
