package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"
)

// What a server can refuse with.
var (
	ErrInvalid         = errors.New("invalid request")            // 400
	ErrUnauthenticated = errors.New("not authenticated")          // 401, also of the token endpoint
	ErrForbidden       = errors.New("forbidden")                  // 403
	ErrNotFound        = errors.New("not found")                  // 404
	ErrConflict        = errors.New("conflict")                   // 409, all of the following
	ErrExists          = errors.New("already taken")              // AlreadyUsed
	ErrLimit           = errors.New("limit reached")              // LimitReached
	ErrInUse           = errors.New("still in use")               // InUse
	ErrProtected       = errors.New("protected")                  // Protected
	ErrKeyReused       = errors.New("idempotency key reused")     // IdempotencyKeyReused
	ErrNotRipe         = errors.New("the key is not ripe")        // KeyNotRipe
	ErrStale           = errors.New("the version is not current") // 412
	ErrTooManyRequests = errors.New("too many requests")          // 429
	ErrUnavailable     = errors.New("temporarily unavailable")    // 503
)

var byStatus = map[int]error{
	http.StatusBadRequest:         ErrInvalid,
	http.StatusUnauthorized:       ErrUnauthenticated,
	http.StatusForbidden:          ErrForbidden,
	http.StatusNotFound:           ErrNotFound,
	http.StatusConflict:           ErrConflict,
	http.StatusPreconditionFailed: ErrStale,
	http.StatusTooManyRequests:    ErrTooManyRequests,
	http.StatusServiceUnavailable: ErrUnavailable,
}

var byCode = map[string]error{
	"AlreadyUsed":          ErrExists,
	"LimitReached":         ErrLimit,
	"InUse":                ErrInUse,
	"Protected":            ErrProtected,
	"IdempotencyKeyReused": ErrKeyReused,
	"KeyNotRipe":           ErrNotRipe,
}

// Error is a refusal of the server.
type Error struct {
	Status        int
	Code          string          // constant of the server, as "ObjectNotFound"; empty when something in between answered
	Message       string          // for people
	Details       json.RawMessage // depends on Code; may be nil
	CorrelationID string          // to find the request in the server's log
	RetryAfter    time.Duration   // 0 when nothing was said
}

// FieldError names a member of the request and the rule that it breaks.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	text := strconv.Itoa(e.Status) + " " + e.Code + ": " + e.Message
	for _, f := range e.Fields() {
		text += "; " + f.Field + " " + f.Message
	}
	return text
}

// Is makes e one of the sentinels.
func (e *Error) Is(target error) bool {
	return target != nil && (byStatus[e.Status] == target || byCode[e.Code] == target)
}

// Fields lists what an [ErrInvalid] complains of.
func (e *Error) Fields() []FieldError {
	var fields []FieldError
	if json.Unmarshal(e.Details, &fields) != nil {
		return nil
	}
	return fields
}

// RipeAt is when an [ErrNotRipe] will have passed, zero for any other error.
func (e *Error) RipeAt() time.Time {
	var details struct {
		RipeAt time.Time `json:"ripeAt"`
	}
	if json.Unmarshal(e.Details, &details) != nil {
		return time.Time{}
	}
	return details.RipeAt
}

func newError(answer *http.Response, body []byte) *Error {
	e := &Error{
		Status: answer.StatusCode, Message: http.StatusText(answer.StatusCode),
		CorrelationID: answer.Header.Get("X-Correlation-Id"),
	}
	if seconds, err := strconv.ParseInt(answer.Header.Get("Retry-After"), 10, 32); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var said struct {
		Error       string          `json:"error"`
		Detail      string          `json:"detail"`
		Message     string          `json:"message"`
		Description string          `json:"error_description"` // of the token endpoint
		Details     json.RawMessage `json:"details"`
	}
	if json.Unmarshal(body, &said) == nil {
		e.Code, e.Details = said.Error, said.Details
		e.Message = cmp.Or(said.Detail, said.Message, said.Description, e.Message)
	}
	return e
}

// tokenError tells a refusal of the token endpoint like any other.
func tokenError(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil {
		return newError(refused.Response, refused.Body)
	}
	return err
}
