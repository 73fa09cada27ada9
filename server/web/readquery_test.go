package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/server/web"
)

func TestReadQuery(t *testing.T) {
	long := strings.Repeat("é", web.MaxQueryValueRunes)
	for query, message := range map[string]string{
		"": "", "limit=5": "", "limit=": "", "limit": "", "list=a&list=b": "", "list%5B%5D=a&list=b": "", "limit=" + long: "",
		"limit=%zz":           "the query is not valid",
		"limit=5;x=1":         "the query is not valid",
		"secret=x":            "the query has a parameter that is not known here",
		"Limit=5":             "the query has a parameter that is not known here",
		"limit=5&limit=5":     "the parameter limit occurs more than once",
		"limit=%00":           "the parameter limit must be at most 255 printable characters",
		"list=a&list=%ff":     "the parameter list must be at most 255 printable characters",
		"limit=" + long + "x": "the parameter limit must be at most 255 printable characters",
	} {
		r := &http.Request{URL: &url.URL{RawQuery: query}}
		got, err := web.ReadQuery(r, []string{"limit", "list", "list[]"}, "list", "list[]")
		if (err == nil) != (message == "") || (err != nil && (err.Error() != message || got != nil)) {
			t.Errorf("?%s: %v, want %q", query, err, message)
		}
	}
}

func TestQueryNumber(t *testing.T) {
	for text, want := range map[string]int{
		"1": 1, "7": 7, "100": 100, "0": 0, "101": 0, "-1": 0, "+1": 0, "01": 0, "1.0": 0, "1e1": 0, "": 0, " 1": 0, "99999999999999999999": 0,
	} {
		got, err := web.QueryNumber(url.Values{"n": {text}}, "n", 50, 100)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if got, err := web.QueryNumber(nil, "n", 50, 100); got != 50 || err != nil {
		t.Errorf("absent: %d, %v", got, err)
	}
}
