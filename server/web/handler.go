package web

import (
	"errors"
	"net/http"
)

// Handler answers a request or returns why it did not. It must not return an error of
// its own after it began to answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one method of one path; Path is a gorilla/mux template and GET implies HEAD.
type Route struct {
	Method, Path string
	Handler      Handler
	// Exempt requests must be answered whatever else is not, as those about health: they
	// pass [Shed] and [RequireTLS]. It holds for every method of the path, which has no variable.
	Exempt bool
}

// Surface is a set of routes with one way to render errors. Paths under one of its
// Prefixes are its own, and so is what its routes' templates begin with.
type Surface struct {
	Name     string
	Routes   []Route
	Prefixes []string
	Fail     FailFunc
}

// FailFunc renders err, which may be an [*Error] or anything that a handler returned.
// It may set the event's error kind; status and cause are recorded by the caller.
type FailFunc func(w http.ResponseWriter, r *http.Request, err error)

// Fail renders err through the surface that the request belongs to and records it in
// the event. Middleware refuses with it; handlers return their errors instead.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	EventFrom(r.Context()).fail.answer(w, r, err)
}

func (f FailFunc) answer(w http.ResponseWriter, r *http.Request, err error) {
	event := EventFrom(r.Context())
	event.SetCause(err)
	switch {
	case event.started():
	case f == nil:
		DefaultFail(w, r, err)
	default:
		f(w, r, err)
	}
}

// DefaultFail renders err as an RFC 9457 problem. What is not an [*Error] reads as internal.
func DefaultFail(w http.ResponseWriter, _ *http.Request, err error) {
	public, ok := errors.AsType[*Error](err)
	if !ok {
		public = Internal(err)
	}
	public.AddHeader(w)
	w.Header().Set("Content-Type", "application/problem+json")
	NoStore(w)
	problem := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(public.Status), public.Status, public.Message}
	// A client that went away is the only error left here, and nobody hears of it.
	_ = WriteJSON(w, public.Status, problem)
}
