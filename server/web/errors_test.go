package web

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestErrors(t *testing.T) {
	cause := errors.New("disk on fire")
	for _, tc := range []struct {
		err    *Error
		status int
		kind   string
		header string
		value  string
	}{
		{BadRequest("no"), 400, "malformed", "", ""},
		{Invalid(FieldError{"name", "is required"}), 400, "invalid", "", ""},
		{PayloadTooLarge(10), 413, "too_large", "", ""},
		{UnsupportedMediaType("application/json"), 415, "unsupported_media_type", "", ""},
		{NotFound(), 404, "no_such_route", "", ""},
		{MethodNotAllowed("GET, HEAD"), 405, "method_not_allowed", "Allow", "GET, HEAD"},
		{TooManyRequests(5, 1500*time.Millisecond), 429, "too_many_requests", "Retry-After", "2"},
		{TooManyRequests(5, 0), 429, "too_many_requests", "Retry-After", "1"},
		{Unavailable(time.Second, cause), 503, "unavailable", "Retry-After", "1"},
		{Internal(cause), 500, "internal", "", ""},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			if tc.err.Status != tc.status || tc.err.Kind.String() != tc.kind {
				t.Errorf("status %d, kind %v", tc.err.Status, tc.err.Kind)
			}
			if tc.err.Header.Get(tc.header) != tc.value {
				t.Errorf("%s is %q, want %q", tc.header, tc.err.Header.Get(tc.header), tc.value)
			}
			if tc.err.Error() == "" || tc.err.Error() == cause.Error() {
				t.Errorf("public text %q", tc.err.Error())
			}
		})
	}
	if !errors.Is(Internal(cause), cause) {
		t.Error("the cause is lost")
	}
}

func TestWriteJSON(t *testing.T) {
	answer := call(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		NoStore(w)
		var list []string
		if err := WriteJSON(w, http.StatusCreated, map[string]any{"b": list, "a": 1}); err != nil {
			t.Error(err)
		}
	}), "GET", "/", "", nil)
	if answer.body != `{"a":1,"b":[]}` || answer.status != 201 || answer.header.Get("Content-Length") != "14" {
		t.Errorf("answered %+v", answer)
	}
	if answer.header.Get("Content-Type") != "application/json" || answer.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", answer.header)
	}
}

func TestWriteJSONWritesNothingWhenItCannotEncode(t *testing.T) {
	answer := call(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := WriteJSON(w, http.StatusOK, func() {}); err != nil {
			refusal(t, err, KindInternal)
			Fail(w, r, err)
		}
	}), "GET", "/", "", nil)
	if answer.status != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", answer.status)
	}
}

func TestHazard18_OneHeader(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if value, err := OneHeader(r, "Authorization"); value != "" || err != nil {
		t.Errorf("absent: %q, %v", value, err)
	}
	r.Header.Add("Authorization", "Basic YTpi")
	if value, err := OneHeader(r, "authorization"); value != "Basic YTpi" || err != nil {
		t.Errorf("one: %q, %v", value, err)
	}
	r.Header.Add("authorization", "Bearer x")
	value, err := OneHeader(r, "Authorization")
	refusal(t, err, KindMalformed)
	if value != "" {
		t.Error("one of two was handed out")
	}
}

func TestErrorDetailNamesTheFields(t *testing.T) {
	for want, err := range map[string]*Error{
		"no such resource": NotFound(),
		"the request body is invalid: name must be a string": Invalid(FieldError{Field: "name", Message: "must be a string"}),
		"the request body is invalid: must be an object":     Invalid(FieldError{Message: "must be an object"}),
		"the request body is invalid: a is bad: b is worse":  Invalid(FieldError{Field: "a", Message: "is bad"}, FieldError{Field: "b", Message: "is worse"}),
	} {
		if got := err.Detail(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
