package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Event is what becomes known of one request; [Events] writes it as one log line when
// the request ends. It belongs to the goroutine of the handler. No setter takes text of
// the request that nobody has checked.
type Event struct {
	answer        *recorder
	fail          FailFunc
	surface       string
	route         string
	correlationID string
	client        netip.Addr
	transport     transport

	org, account, clientID, credential string
	errorKind                          string
	cause                              error
}

type eventKey struct{}

// EventFrom returns the event of the request. Outside of [Events] it is one that nobody reads.
func EventFrom(ctx context.Context) *Event {
	if event, ok := ctx.Value(eventKey{}).(*Event); ok {
		return event
	}
	return &Event{}
}

// CorrelationID returns the id that the answer carries as x-correlation-id.
func CorrelationID(ctx context.Context) string { return EventFrom(ctx).correlationID }

// ClientAddr returns the address of the client, which is the peer's unless a trusted
// proxy named another. It is not valid when the peer has no IP address.
func ClientAddr(ctx context.Context) netip.Addr { return EventFrom(ctx).client }

// SetOrg notes the slug of the organization that the request concerns.
func (e *Event) SetOrg(slug string) { e.org = slug }

// SetAccount notes the service account that the caller has proven to be.
func (e *Event) SetAccount(userID string) { e.account = userID }

// SetClientID notes the client id that the caller has proven.
func (e *Event) SetClientID(id string) { e.clientID = id }

// SetCredential notes the id of the credential that was used.
func (e *Event) SetCredential(id string) { e.credential = id }

// SetErrorKind notes the error by its constant name, as "invalid_client".
func (e *Event) SetErrorKind(kind string) { e.errorKind = kind }

// SetCause keeps the error behind the answer. Its text is logged for a 5xx only, since
// the cause of a refusal may describe what was sent.
func (e *Event) SetCause(err error) { e.cause = err }

func (e *Event) started() bool { return e.answer != nil && e.answer.status != 0 }

// Summary is what is countable of a finished request.
type Summary struct {
	Surface, Route, Method string
	Status                 int // 0 when the connection was cut before an answer
	Outcome, ErrorKind     string
	Duration               time.Duration
	Bytes                  int64
}

func (e *Event) summary(method string, status int, took time.Duration) Summary {
	s := Summary{
		Surface: e.surface, Route: e.route, Method: knownMethod(method), Status: status,
		Outcome: outcomeOf(status), ErrorKind: e.errorKind, Duration: took, Bytes: e.answer.bytes,
	}
	if s.Route == "" {
		s.Route = "none"
	}
	if refused, ok := errors.AsType[*Error](e.cause); ok && s.ErrorKind == "" {
		s.ErrorKind = refused.Kind.String()
	}
	return s
}

func outcomeOf(status int) string {
	switch {
	case status == 0:
		return "aborted"
	case status < http.StatusBadRequest:
		return "success"
	case status < http.StatusInternalServerError:
		return "refused"
	default:
		return "failed"
	}
}

// A method is any token of the client's choice, hence unfit for a log line or a metric label.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

const maxCauseBytes = 512

func (e *Event) attributes(s Summary) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("method", s.Method),
		slog.String("route", s.Route),
		slog.Int("status", s.Status),
		slog.Duration("duration", s.Duration),
		slog.Int64("bytes", s.Bytes),
		slog.String("remote", e.client.String()),
		slog.String("correlation_id", e.correlationID),
		slog.String("outcome", s.Outcome),
	}
	for _, known := range []struct{ name, value string }{
		{"org", e.org},
		{"account", e.account},
		{"client_id", e.clientID},
		{"credential", e.credential},
		{"error", s.ErrorKind},
		{"cause", e.causeText(s.Status)},
	} {
		if known.value != "" {
			attrs = append(attrs, slog.String(known.name, known.value))
		}
	}
	return attrs
}

func (e *Event) causeText(status int) string {
	if e.cause == nil || status < http.StatusInternalServerError {
		return ""
	}
	text := e.cause.Error()
	if refused, ok := errors.AsType[*Error](e.cause); ok && refused.Cause != nil {
		text = refused.Cause.Error()
	}
	return text[:min(len(text), maxCauseBytes)]
}
