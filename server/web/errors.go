package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind tells a surface why web refused a request, so that it can say so in its own words.
type Kind int

// The zero value is KindInternal: an error that nobody classified is ours.
const (
	KindInternal Kind = iota
	KindMalformed
	KindInvalid
	KindTooLarge
	KindUnsupportedMediaType
	KindNotFound
	KindMethodNotAllowed
	KindTooManyRequests
	KindUnavailable
	KindInsecureTransport
)

// String returns the kind as it stands in logs.
func (k Kind) String() string {
	switch k {
	case KindMalformed:
		return "malformed"
	case KindInvalid:
		return "invalid"
	case KindTooLarge:
		return "too_large"
	case KindUnsupportedMediaType:
		return "unsupported_media_type"
	case KindNotFound:
		return "no_such_route"
	case KindMethodNotAllowed:
		return "method_not_allowed"
	case KindTooManyRequests:
		return "too_many_requests"
	case KindUnavailable:
		return "unavailable"
	case KindInsecureTransport:
		return "insecure_transport"
	default:
		return "internal"
	}
}

// FieldError names a field by its path, as in "secrets[0].name", and the rule that it
// breaks. Field is empty for the body as a whole.
type FieldError struct{ Field, Message string }

// Error is a refusal by this package. Message and Fields are public and never repeat
// what was sent; Cause is for the operator alone.
type Error struct {
	Status  int
	Kind    Kind
	Message string
	Fields  []FieldError
	Header  http.Header // extra answer headers, as Allow or Retry-After; may be nil
	Limit   int         // of KindTooManyRequests, how many are allowed; 0 when that is not known
	Cause   error
}

// Error returns the public message.
func (e *Error) Error() string { return e.Message }

// Detail is the message with the fields, for who has no other place to name them.
func (e *Error) Detail() string {
	parts := []string{e.Message}
	for _, broken := range e.Fields {
		parts = append(parts, strings.TrimSpace(broken.Field+" "+broken.Message))
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// BadRequest refuses a request that cannot be understood. The message must not repeat any of it.
func BadRequest(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Kind: KindMalformed, Message: message}
}

// Invalid refuses a body that was understood and breaks the rules of these fields.
func Invalid(fields ...FieldError) *Error {
	return &Error{
		Status: http.StatusBadRequest, Kind: KindInvalid,
		Message: "the request body is invalid", Fields: fields,
	}
}

// PayloadTooLarge refuses a body of more than limit bytes.
func PayloadTooLarge(limit int64) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Kind: KindTooLarge,
		Message: "the request body is larger than " + strconv.FormatInt(limit, 10) + " bytes",
	}
}

// UnsupportedMediaType refuses a body that is not of the type want.
func UnsupportedMediaType(want string) *Error {
	return &Error{
		Status: http.StatusUnsupportedMediaType, Kind: KindUnsupportedMediaType,
		Message: "the request body must be " + want,
	}
}

// NotFound answers a path that no route has.
func NotFound() *Error {
	return &Error{Status: http.StatusNotFound, Kind: KindNotFound, Message: "no such resource"}
}

// MethodNotAllowed answers a path whose routes have other methods: allow, as in "GET, HEAD".
func MethodNotAllowed(allow string) *Error {
	return &Error{
		Status: http.StatusMethodNotAllowed, Kind: KindMethodNotAllowed,
		Message: "this resource does not have that method",
		Header:  http.Header{"Allow": {allow}},
	}
}

// TooManyRequests asks a caller that went over limit to come back after the given time.
func TooManyRequests(limit int, after time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Kind: KindTooManyRequests,
		Message: "too many requests", Header: RetryAfter(after), Limit: limit,
	}
}

// Unavailable says that the server cannot answer now and may after the given time.
func Unavailable(after time.Duration, cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Kind: KindUnavailable,
		Message: "temporarily unavailable", Header: RetryAfter(after), Cause: cause,
	}
}

// Internal hides cause behind a text that says nothing.
func Internal(cause error) *Error {
	return &Error{
		Status: http.StatusInternalServerError, Kind: KindInternal,
		Message: "internal error", Cause: cause,
	}
}

// RetryAfter returns the header of that name in whole seconds, rounded up and at least one.
func RetryAfter(after time.Duration) http.Header {
	seconds := max(1, int64((after+time.Second-1)/time.Second))
	return http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
}

// AddHeader sets the extra headers of e on an answer that has not begun.
func (e *Error) AddHeader(w http.ResponseWriter) {
	for name, values := range e.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
}
