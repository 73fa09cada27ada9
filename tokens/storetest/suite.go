package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/tokens"
)

// Backend is a store on empty tables, and what the suite needs beside it.
type Backend struct {
	Store    tokens.Store
	Accounts [2]uuid.UUID // two accounts that exist
	Events   func(t *testing.T) []audit.Event
}

// Run runs the suite. open returns a fresh backend each time.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"KeySetStartsEmpty", keySetStartsEmpty},
		{"KeysRoundTrip", keysRoundTrip},
		{"ChangeKeysWithoutChange", changeKeysWithoutChange},
		{"ChangeKeysWithError", changeKeysWithError},
		{"ChangeKeysLeavesEvidence", changeKeysLeavesEvidence},
		{"OneActiveKey", oneActiveKey},
		{"I28_KidNeverComesBack", kidNeverComesBack},
		{"I28_KidBoundToAlgorithm", kidBoundToAlgorithm},
		{"ConcurrentChangesLoseNothing", concurrentChangesLoseNothing},
		{"ReceiptOfNobody", receiptOfNobody},
		{"I12_RevokeIsIdempotentAndPermanent", revokeIsIdempotent},
		{"RFC7009_RevokeReachesOneAccountOnly", revokeReachesOneAccount},
		{"RevokeLeavesEvidence", revokeLeavesEvidence},
		{"RevokeOfUnknownAccount", revokeOfUnknownAccount},
		{"RevokedOfAndSweep", revokedOfAndSweep},
		{"EndedContext", endedContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// epoch is the time of the fixtures, in whole microseconds.
var epoch = time.Date(2026, 11, 22, 10, 11, 12, 131415000, time.UTC)

var actor = authz.Principal{
	System: true, AccountID: uuid.MustParse("0192aaaa-0000-7000-8000-000000000001"),
	Subject: "sa:system:root", CorrelationID: "c-1", Source: "192.0.2.1",
}

// event fixtures have no actor: the store knows it.
func newEvent(eventType string) audit.Event {
	return audit.Event{
		ID: uuid.Must(uuid.NewV7()), Time: epoch, Type: eventType, OrgID: uuid.MustParse("0192aaaa-0000-7000-8000-000000000002"),
		OrgSlug: "acme", Target: "key:K1", Outcome: audit.Succeeded,
	}
}

// requireFull fails for a field that a store could lose unnoticed.
func requireFull(t *testing.T, fixture any) {
	t.Helper()
	value := reflect.ValueOf(fixture)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Fatalf("the fixture %T has no %s", fixture, value.Type().Field(i).Name)
		}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
