package accounts

import (
	"errors"
	"strings"
)

// What a [Service] method or a [Store] answers when it does not do what was asked.
var (
	ErrNotFound        = errors.New("not found")
	ErrExists          = errors.New("already taken")
	ErrLimit           = errors.New("limit reached")
	ErrInUse           = errors.New("still in use")
	ErrProtected       = errors.New("protected")                    // a built-in role, the system organization, its last owner
	ErrStale           = errors.New("the version is not current")   // the caller's If-Match
	ErrConflict        = errors.New("changed by someone else")      // a conditional update found another version
	ErrUnauthenticated = errors.New("client authentication failed") // one error for every cause
	ErrUnavailable     = errors.New("storage is unavailable")       // no statement about the data: try again
)

// What a [NotFoundError] names.
const (
	WhatOrg        = "organization"
	WhatRole       = "role"
	WhatGroup      = "group"
	WhatAccount    = "service account"
	WhatCredential = "credential"
	WhatSecret     = "secret"
)

// NotFoundError is [ErrNotFound] with the name of what there is not, or not for the caller.
type NotFoundError struct{ What string }

func (e *NotFoundError) Error() string { return e.What + " not found" }

// Unwrap makes it an [ErrNotFound].
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// InvalidError lists every field of an input that breaks a rule. It carries no values.
type InvalidError struct{ Fields []FieldError }

// LimitError is [ErrLimit] with the name of what is full.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return "the limit of " + e.What + " is reached" }

// Unwrap makes it an [ErrLimit].
func (e *LimitError) Unwrap() error { return ErrLimit }

// ProtectedError is [ErrProtected] with the name of what nobody may take away.
type ProtectedError struct{ What string }

func (e *ProtectedError) Error() string { return e.What + " is protected" }

// Unwrap makes it an [ErrProtected].
func (e *ProtectedError) Unwrap() error { return ErrProtected }

// FieldError names a field by its JSON path in the native API and the rule that it breaks.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Field + ": " + f.Message
	}
	return "invalid: " + strings.Join(parts, "; ")
}
