package accounts

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/audit"
)

// Once makes a write happen once: Key is the caller's idempotency key and Fingerprint tells
// one request from another. The zero value asks for nothing.
type Once struct{ Key, Fingerprint string }

// RepeatedError answers a request whose idempotency key was seen before: Target is the
// id of what the first one made.
type RepeatedError struct{ Target string }

func (e *RepeatedError) Error() string { return fmt.Sprintf("already done, made %s", e.Target) }

// ErrKeyReused reports an idempotency key that came before with another request.
var ErrKeyReused = errors.New("the idempotency key belongs to another request")

// ReceiptLifetime is how long an idempotency key is remembered.
const ReceiptLifetime = 24 * time.Hour

// Judge says of a request under a key for which there is a receipt whether it may be done
// (nil), is a repetition ([*RepeatedError]) or another request ([ErrKeyReused]).
func (o Once) Judge(receipt audit.Receipt, now time.Time) error {
	if now.Sub(receipt.Time) >= ReceiptLifetime {
		return nil
	}
	if receipt.Fingerprint != o.Fingerprint {
		return ErrKeyReused
	}
	return &RepeatedError{Target: receipt.Target}
}

// repeated finds out whether err only says that an idempotency key was seen before, and
// which object it made.
func repeated(err error) (uuid.UUID, bool) {
	again, ok := errors.AsType[*RepeatedError](err)
	if !ok {
		return uuid.UUID{}, false
	}
	id, parsed := ParseID(again.Target)
	return id, parsed
}
