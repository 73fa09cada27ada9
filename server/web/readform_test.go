package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func formRequest(t testing.TB, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	return r
}

func TestReadForm(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       url.Values
	}{
		{"one", "grant_type=client_credentials", url.Values{"grant_type": {"client_credentials"}}},
		{"decoded", "a=%C3%A9+%3B%26&b%20c=1", url.Values{"a": {"é ;&"}, "b c": {"1"}}},
		{"equals sign in the value", "a=b=c", url.Values{"a": {"b=c"}}},
		{"repeatable", "resource=x&resource=y", url.Values{"resource": {"x", "y"}}},
		{"empty pairs", "&a=1&&", url.Values{"a": {"1"}}},
		{"no body", "", url.Values{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ReadForm(formRequest(t, tc.body), "resource")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRFC6749_3_1_EmptyParameterIsAbsent(t *testing.T) {
	got, err := ReadForm(formRequest(t, "scope=&resource=&resource=x&client_id"), "resource")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(url.Values{"resource": {"x"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHazard18_StrictForm(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		kind       Kind
	}{
		{"duplicate", "client_id=CANARY&client_id=y", KindMalformed},
		{"duplicate of an empty one", "scope=&scope=CANARY", KindMalformed},
		{"duplicate by escape", "scope=CANARY&%73cope=y", KindMalformed},
		{"semicolon", "client_id=x;client_id=CANARY", KindMalformed},
		{"malformed escape", "scope=CANARY%zz", KindMalformed},
		{"truncated escape", "scope=CANARY%2", KindMalformed},
		{"malformed escape in a name", "CANARY%=x", KindMalformed},
		{"no name", "=CANARY", KindMalformed},
		{"invalid UTF-8", "a=CANARY%ff", KindMalformed},
		{"overlong UTF-8", "a=%c0%af", KindMalformed},
		{"NUL", "a=CANARY%00", KindMalformed},
		{"line break", "a=CANARY%0d%0ab", KindMalformed},
		{"delete", "a=CANARY%7f", KindMalformed},
		{"raw control character", "a=CANARY\x01", KindMalformed},
		{"too large", "a=" + strings.Repeat("x", MaxFormBytes), KindTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ReadForm(formRequest(t, tc.body), "resource")
			refused := refusal(t, err, tc.kind)
			if got != nil {
				t.Error("values beside an error")
			}
			if refused.Cause != nil || strings.Contains(refused.Message, canary) {
				t.Errorf("the error says %q, cause %v", refused.Message, refused.Cause)
			}
		})
	}
}

func TestHazard65_ManyParameters(t *testing.T) {
	body := strings.Repeat("resource=x&", MaxFormParams)
	if _, err := ReadForm(formRequest(t, strings.TrimSuffix(body, "&")), "resource"); err != nil {
		t.Errorf("%d parameters: %v", MaxFormParams, err)
	}
	_, err := ReadForm(formRequest(t, body+"resource=x"), "resource")
	refusal(t, err, KindMalformed)

	const many = 10_000
	spent := allocated(func() {
		_, err = ReadForm(formRequest(t, strings.Repeat("&", many)))
	})
	refusal(t, err, KindMalformed)
	if spent > 256<<10 {
		t.Errorf("%d parameters cost %d bytes", many, spent)
	}
}

func TestReadFormRequest(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		kind   Kind // KindInternal: no error
	}{
		{"charset", func(r *http.Request) { r.Header.Set("Content-Type", formType+"; charset=UTF-8") }, KindInternal},
		{"other charset", func(r *http.Request) { r.Header.Set("Content-Type", formType+"; charset=latin1") }, KindUnsupportedMediaType},
		{"JSON", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, KindUnsupportedMediaType},
		{"multipart", func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }, KindUnsupportedMediaType},
		{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, KindUnsupportedMediaType},
		{"two types", func(r *http.Request) { r.Header.Add("Content-Type", formType) }, KindMalformed},
		{"encoded", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, KindUnsupportedMediaType},
		{"query", func(r *http.Request) { r.URL.RawQuery = "client_secret=x" }, KindMalformed},
		{"method", func(r *http.Request) { r.Method = http.MethodPut }, KindMethodNotAllowed},
		{"unknown length", func(r *http.Request) { r.ContentLength = -1 }, KindInternal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := formRequest(t, "a=1")
			tc.change(r)
			_, err := ReadForm(r)
			if tc.kind != KindInternal {
				refusal(t, err, tc.kind)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
