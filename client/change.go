package client

import (
	"encoding/json"
	"time"
)

// Change is a member of a patch. The zero value leaves the member as it is.
type Change[T any] struct {
	value *T
	set   bool
}

// Set changes a member to value.
func Set[T any](value T) Change[T] { return Change[T]{value: &value, set: true} }

// Clear empties a member that may be empty.
func Clear[T any]() Change[T] { return Change[T]{set: true} }

// IsZero reports whether the member stays; such members are not sent.
func (c Change[T]) IsZero() bool { return !c.set }

// MarshalJSON writes the new value, or null.
func (c Change[T]) MarshalJSON() ([]byte, error) { return json.Marshal(c.value) }

// Stamp says who made an object and who changed it last.
type Stamp struct {
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy"`
	Version   int64     `json:"version"`
}
