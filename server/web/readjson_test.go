package web

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type inner struct {
	Name string   `json:"name"`
	List []string `json:"list"`
}

type account struct {
	RoleSlug string            `json:"roleSlug"`
	Count    int               `json:"count"`
	Disabled bool              `json:"disabled"`
	Expires  time.Time         `json:"expiresAt"`
	Tags     map[string]string `json:"tags"`
	Inner    *inner            `json:"inner"`
	Inners   []inner           `json:"inners"`
	Patch    Field[inner]      `json:"patch,omitzero"`
	Any      any               `json:"any"`
}

func jsonRequest(t testing.TB, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestReadJSON(t *testing.T) {
	var got account
	body := ` {"roleSlug":"api","count":3,"disabled":true,"expiresAt":"2026-01-02T03:04:05Z",
		"tags":{"a":"b"},"inner":{"name":"é","list":["x"]},"inners":[{"name":"y"}],"patch":{"name":"z"}} `
	if err := ReadJSON(jsonRequest(t, body), &got); err != nil {
		t.Fatal(err)
	}
	want := account{
		RoleSlug: "api", Count: 3, Disabled: true, Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Tags: map[string]string{"a": "b"}, Inner: &inner{"é", []string{"x"}}, Inners: []inner{{Name: "y"}},
		Patch: Field[inner]{Set: true, Value: inner{Name: "z"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The marker stands for whatever a client sends: it must not come back.
const canary = "CANARY"

func TestHazard17_StrictJSON(t *testing.T) {
	deep := func(n int) string {
		return `{"any":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for _, tc := range []struct {
		name, body string
		kind       Kind
		field      string
		message    string
	}{
		{"case variant", `{"ROLESLUG":"CANARY"}`, KindInvalid, "", "has a member that is not known"},
		// Go's own decoder folds the long s and takes this for roleSlug.
		{"long s", `{"role\u017flug":"CANARY"}`, KindInvalid, "", "has a member that is not known"},
		{"long s, raw", `{"roleſlug":"CANARY"}`, KindInvalid, "", "has a member that is not known"},
		{"unknown", `{"CANARY":1}`, KindInvalid, "", "has a member that is not known"},
		{"mass assignment", `{"inner":{"isAdmin":true}}`, KindInvalid, "inner", "has a member that is not known"},
		{"unknown in a Field", `{"patch":{"CANARY":1}}`, KindInvalid, "patch", "has a member that is not known"},
		{"unknown in a list", `{"inners":[{},{"CANARY":1}]}`, KindInvalid, "inners[1]", "has a member that is not known"},
		{"duplicate", `{"count":1,"count":2}`, KindInvalid, "count", "occurs more than once"},
		{"duplicate by escape", `{"count":1,"\u0063ount":2}`, KindInvalid, "count", "occurs more than once"},
		{"duplicate of the client's own", `{"tags":{"CANARY":"1","CANARY":"2"}}`, KindInvalid, "tags", "has a member that occurs more than once"},
		{"not a string", `{"roleSlug":1}`, KindInvalid, "roleSlug", "must be a string"},
		{"not a number", `{"count":"CANARY"}`, KindInvalid, "count", "must be a whole number in range"},
		{"fraction", `{"count":1.5}`, KindInvalid, "count", "must be a whole number in range"},
		{"overflow", `{"count":1e999}`, KindInvalid, "count", "must be a whole number in range"},
		{"not a boolean", `{"disabled":"CANARY"}`, KindInvalid, "disabled", "must be true or false"},
		{"not a time", `{"expiresAt":"CANARY"}`, KindInvalid, "expiresAt", "is not a valid text"},
		{"not an object", `{"inner":"CANARY"}`, KindInvalid, "inner", "must be an object"},
		{"not a list", `{"inners":{}}`, KindInvalid, "inners", "must be an array"},
		{"in a list", `{"inners":[{"list":["a",2]}]}`, KindInvalid, "inners[0].list[1]", "must be a string"},
		{"in a Field", `{"patch":{"list":"CANARY"}}`, KindInvalid, "patch.list", "must be an array"},
		{"in a map", `{"tags":{"CANARY":1}}`, KindInvalid, "tags", "must be a string"},
		{"body is a list", `["CANARY"]`, KindInvalid, "", "must be an object"},
		{"trailing value", `{}{}`, KindMalformed, "", ""},
		{"trailing text", `{} CANARY`, KindMalformed, "", ""},
		{"empty", ``, KindMalformed, "", ""},
		{"white space", "  \n", KindMalformed, "", ""},
		{"truncated", `{"roleSlug":"CANARY`, KindMalformed, "", ""},
		{"comment", `{/*CANARY*/}`, KindMalformed, "", ""},
		{"byte order mark", "\ufeff{}", KindMalformed, "", ""},
		{"NaN", `{"count":NaN}`, KindMalformed, "", ""},
		{"NUL", "{\x00}", KindMalformed, "", ""},
		{"invalid UTF-8", "{\"roleSlug\":\"CANARY\xff\"}", KindMalformed, "", ""},
		{"overlong UTF-8", "{\"roleSlug\":\"\xc0\xaf\"}", KindMalformed, "", ""},
		{"lone surrogate", `{"roleSlug":"\ud800"}`, KindMalformed, "", ""},
		{"nested deeper than allowed", deep(MaxJSONDepth + 1), KindMalformed, "", ""},
		{"nested without end", strings.Repeat("[", 60_000), KindMalformed, "", ""},
		{"too many values", `{"any":[` + strings.Repeat("0,", MaxJSONValues) + `0]}`, KindMalformed, "", ""},
		{"too large", `{"roleSlug":"` + strings.Repeat("x", MaxJSONBytes) + `"}`, KindTooLarge, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got account
			refused := refusal(t, ReadJSON(jsonRequest(t, tc.body), &got), tc.kind)
			if tc.message != "" {
				want := []FieldError{{tc.field, tc.message}}
				if diff := cmp.Diff(want, refused.Fields); diff != "" {
					t.Error(diff)
				}
			}
			// Hazard 73: nothing of the input comes back, to the caller or to a log.
			if refused.Cause != nil || strings.Contains(refused.Message, canary) {
				t.Errorf("the error says %q, cause %v", refused.Message, refused.Cause)
			}
		})
	}
	var got account
	if err := ReadJSON(jsonRequest(t, deep(MaxJSONDepth)), &got); err != nil {
		t.Errorf("depth %d: %v", MaxJSONDepth, err)
	}
	if err := ReadJSON(jsonRequest(t, `{"roleSlug":"[[[[[[[[[[[[[[[[[[[[\"{"}`), &got); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}
}

func TestReadJSONTypeAndPresence(t *testing.T) {
	for _, tc := range []struct {
		name, contentType, encoding, body string
		options                           []JSONOption
		kind                              Kind // KindInternal: no error
	}{
		{"plain", "application/json", "", `{}`, nil, KindInternal},
		{"with charset", "application/json; charset=UTF-8", "", `{}`, nil, KindInternal},
		{"case", "Application/JSON", "", `{}`, nil, KindInternal},
		{"other charset", "application/json; charset=utf-16", "", `{}`, nil, KindUnsupportedMediaType},
		{"other type", "text/plain", "", `{}`, nil, KindUnsupportedMediaType},
		{"form", formType, "", `{}`, nil, KindUnsupportedMediaType},
		{"suffix", "application/merge-patch+json", "", `{}`, nil, KindUnsupportedMediaType},
		{"unreadable", "application/json;;=", "", `{}`, nil, KindUnsupportedMediaType},
		{"missing", "", "", `{}`, nil, KindUnsupportedMediaType},
		{"missing, allowed", "", "", `{}`, []JSONOption{OptionalType}, KindInternal},
		{"other type, missing allowed", "text/plain", "", `{}`, []JSONOption{OptionalType}, KindUnsupportedMediaType},
		{"encoded", "application/json", "gzip", `{}`, nil, KindUnsupportedMediaType},
		{"no body", "application/json", "", ``, nil, KindMalformed},
		{"no body, allowed", "", "", ``, []JSONOption{OptionalBody}, KindInternal},
		{"body, absence allowed", "", "", `{}`, []JSONOption{OptionalBody}, KindUnsupportedMediaType},
		{"both", "", "", `{}`, []JSONOption{OptionalBody, OptionalType}, KindInternal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := jsonRequest(t, tc.body)
			r.Header.Del("Content-Type")
			if tc.contentType != "" {
				r.Header.Set("Content-Type", tc.contentType)
			}
			if tc.encoding != "" {
				r.Header.Set("Content-Encoding", tc.encoding)
			}
			err := ReadJSON(r, &account{}, tc.options...)
			if tc.kind == KindInternal {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refusal(t, err, tc.kind)
		})
	}
	r := jsonRequest(t, `{}`)
	r.Header.Add("Content-Type", "application/json")
	refusal(t, ReadJSON(r, &account{}), KindMalformed)
}

func TestReadJSONChunkedBodyIsCapped(t *testing.T) {
	r := jsonRequest(t, `"`+strings.Repeat("x", MaxJSONBytes)+`"`)
	r.ContentLength = -1
	refusal(t, ReadJSON(r, &account{}), KindTooLarge)
}

func TestField(t *testing.T) {
	type patch struct {
		Name Field[string]   `json:"name"`
		List Field[[]string] `json:"list"`
	}
	for _, tc := range []struct {
		body string
		want patch
	}{
		{`{}`, patch{}},
		{`{"name":null}`, patch{Name: Field[string]{Set: true, Null: true}}},
		{`{"name":""}`, patch{Name: Field[string]{Set: true}}},
		{`{"name":"x","list":[]}`, patch{
			Name: Field[string]{Set: true, Value: "x"},
			List: Field[[]string]{Set: true, Value: []string{}},
		}},
	} {
		var got patch
		if err := ReadJSON(jsonRequest(t, tc.body), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.body, diff)
		}
	}
}

// The worst bodies that fit the limits must stay cheap.
func TestI39_Hazard67_MemoryOfHostileBodies(t *testing.T) {
	var names strings.Builder
	names.WriteString(`{"tags":{"":""`)
	for i := 0; names.Len() < MaxJSONBytes-32; i++ {
		names.WriteString(`,"` + strconv.FormatInt(int64(i), 36) + `":""`)
	}
	names.WriteString(`}}`)
	most := func(value string) string {
		return `{"any":[` + strings.Repeat(value+",", MaxJSONValues-1) + value + `]}`
	}
	for name, body := range map[string]string{
		"most values":  most("0"),
		"most lists":   most("[]"),
		"most objects": most("{}"),
		"many names":   names.String(),
		"wide list":    `{"any":[` + strings.Repeat("0,", 32_000) + `0]}`,
		"deep list":    strings.Repeat("[", MaxJSONBytes),
		"one string":   `{"roleSlug":"` + strings.Repeat("x", MaxJSONBytes-20) + `"}`,
		"long number":  `{"count":` + strings.Repeat("9", MaxJSONBytes-20) + `}`,
		"white space":  strings.Repeat(" ", MaxJSONBytes),
		"empty lists":  `{"any":[` + strings.Repeat("[],", 21_000) + `[]]}`,
		"empty object": `{"any":[` + strings.Repeat("{},", 21_000) + `{}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			spent := allocated(func() {
				var got account
				if err := ReadJSON(jsonRequest(t, body), &got); err != nil {
					if refused := err.(*Error); refused.Status >= 500 { //nolint:errorlint // the contract is the exact type
						t.Errorf("status %d", refused.Status)
					}
				}
			})
			if spent > 1<<20 {
				t.Errorf("%d bytes allocated", spent)
			}
		})
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
