package referee

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// Referee reports faults to a test. It is safe for concurrent use.
type Referee struct {
	t         testing.TB
	documents []*Document
}

// New returns a referee by documents in JSON, whose paths together are all that the server has.
// A document that cannot be read ends the test.
func New(t testing.TB, documents ...[]byte) *Referee {
	t.Helper()
	r := &Referee{t: t}
	for _, document := range documents {
		loaded, err := Load(document)
		if err != nil {
			t.Fatalf("referee: %v", err)
		}
		r.documents = append(r.documents, loaded)
	}
	return r
}

// judge asks the document that has the operation, else one that has the path, else the first.
func (r *Referee) judge(x exchange) []string {
	competent := r.documents[0]
	for _, document := range r.documents {
		op, known := document.find(x.request.Method, x.request.URL.Path)
		if op != nil {
			return document.judge(x)
		}
		if known {
			competent = document
		}
	}
	return competent.judge(x)
}

// Client returns a client that is watched and follows no redirect.
func (r *Referee) Client() *http.Client {
	return &http.Client{
		Transport:     r.Watch(http.DefaultTransport),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Watch returns a transport that sends over base and reports every exchange that the
// document does not allow as an error of the test.
func (r *Referee) Watch(base http.RoundTripper) http.RoundTripper {
	return &watched{referee: r, base: base}
}

type watched struct {
	referee *Referee
	base    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	sent, request, err := keepBody(request)
	if err != nil {
		return nil, err
	}
	answer, err := w.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	received, err := io.ReadAll(answer.Body)
	closed := answer.Body.Close()
	if err != nil || closed != nil {
		return nil, fmt.Errorf("read the answer: %w", firstOf(err, closed))
	}
	answer.Body = io.NopCloser(bytes.NewReader(received))
	for _, fault := range w.referee.judge(exchange{request, sent, answer, received}) {
		w.referee.t.Errorf("referee: %s %s → %d: %s\nanswer: %s",
			request.Method, request.URL.Path, answer.StatusCode, fault, excerpt(received))
	}
	return answer, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// keepBody reads the body of a request and returns a request that has it still.
func keepBody(request *http.Request) ([]byte, *http.Request, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return nil, request, nil
	}
	sent, err := io.ReadAll(request.Body)
	if closed := request.Body.Close(); err != nil || closed != nil {
		return nil, nil, fmt.Errorf("read the request: %w", firstOf(err, closed))
	}
	again := request.Clone(request.Context())
	again.Body = io.NopCloser(bytes.NewReader(sent))
	return sent, again, nil
}

const excerptBytes = 500

func excerpt(body []byte) string { return string(body[:min(len(body), excerptBytes)]) }
