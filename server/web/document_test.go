package web_test

import (
	"net/http/httptest"
	"testing"

	"github.com/signet-issuer/signet/server/web"
)

func TestDocumentIsRenderedAndServed(t *testing.T) {
	document := web.Document([]byte("openapi: 3.1.0\nbase: &base {a: 1}\nother: {<<: *base, b: x}\n"))
	recorder := httptest.NewRecorder()
	if err := web.ServeDocument(document)(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)); err != nil {
		t.Fatal(err)
	}
	const want = `{"base":{"a":1},"openapi":"3.1.0","other":{"a":1,"b":"x"}}`
	if recorder.Body.String() != want || recorder.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", recorder.Header(), recorder.Body)
	}
	broken := web.Document([]byte("a: [\n"))
	if _, err := broken(); err == nil {
		t.Error("a document that is not YAML was rendered")
	}
	if err := web.ServeDocument(broken)(httptest.NewRecorder(), nil); err == nil {
		t.Error("a document that is not YAML was served")
	}
}
