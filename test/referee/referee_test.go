package referee_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/test/referee"
)

const document = `{
  "openapi": "3.1.0",
  "info": {"title": "things", "version": "1"},
  "paths": {
    "/things/{id}": {
      "parameters": [{"$ref": "#/components/parameters/ID"}],
      "get": {
        "parameters": [{"name": "depth", "in": "query", "schema": {"type": "integer", "minimum": 1}}],
        "responses": {
          "200": {"headers": {"ETag": {"required": true, "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}}},
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
          "404": {"$ref": "#/components/responses/NotFound"}
        }
      },
      "put": {
        "requestBody": {"required": true, "content": {
          "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}},
          "application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/ThingForm"}}}},
        "responses": {"204": {"description": "done"}}
      }
    },
    "/things/fixed": {"get": {"responses": {"204": {"description": "nothing"}}}}
  },
  "components": {
    "parameters": {"ID": {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}},
    "responses": {"NotFound": {"content": {"application/problem+json": {"schema": {"type": "object"}}}}},
    "schemas": {
      "Base": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}},
      "Thing": {"$ref": "#/components/schemas/Base", "properties": {"size": {"type": ["integer", "null"]}}, "unevaluatedProperties": false},
      "ThingForm": {"type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": {"name": {"type": "string"}, "tag": {"type": "array", "items": {"type": "string"}}}}
    }
  }
}`

// listener is a test that only notes what is reported.
type listener struct {
	testing.TB
	faults []string
}

func (l *listener) Helper() {}
func (l *listener) Errorf(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

type scenario struct {
	name, method, path string
	sentType, sent     string
	status             int
	header             map[string]string
	contentType, body  string
	want               string // part of the only fault; empty: there is none
}

const thing = `{"name":"x","size":3}`

var scenarios = []scenario{
	{name: "allowed", path: "/things/1", status: 200, body: thing},
	{name: "allowed without the optional", path: "/things/1", status: 200, body: `{"name":"x"}`},
	{name: "allowed null", path: "/things/1?depth=2", status: 200, body: `{"name":"x","size":null}`},
	{name: "allowed other status", path: "/things/1", status: 404, contentType: "application/problem+json", body: `{}`},
	{name: "the fixed template wins", path: "/things/fixed", status: 204},
	{name: "allowed head", method: "HEAD", path: "/things/1", status: 200},
	{name: "allowed put", method: "PUT", path: "/things/1", sent: thing, status: 204},
	{name: "allowed form", method: "PUT", path: "/things/1", sentType: "application/x-www-form-urlencoded", sent: "name=x&tag=a", status: 204},
	{name: "refused requests may be wrong", method: "GET", path: "/things/1?depth=no", status: 404, contentType: "application/problem+json", body: `{}`},

	{name: "undocumented status", path: "/things/1", status: 500, body: thing, want: "status is not documented"},
	{name: "missing property", path: "/things/1", status: 200, body: `{"size":3}`, want: "missing property"},
	{name: "extra property", path: "/things/1", status: 200, body: `{"name":"x","size":3,"more":1}`, want: "more"},
	{name: "wrong type", path: "/things/1", status: 200, body: `{"name":"x","size":"3"}`, want: "got string"},
	{name: "wrong format", path: "/things/1", status: 200, body: `{"name":"x","at":"yesterday"}`, want: "date-time"},
	{name: "two values", path: "/things/1", status: 200, body: thing + thing, want: "is not application/json"},
	{name: "wrong content type", path: "/things/1", status: 200, contentType: "text/html", body: thing, want: "text/html, which is not documented"},
	{name: "no content type", path: "/things/1", status: 200, contentType: "-", body: thing, want: "no content type"},
	{name: "missing header", path: "/things/1", status: 200, header: map[string]string{"ETag": ""}, body: thing, want: "header ETag is missing"},
	{name: "wrong header", path: "/things/1", status: 200, header: map[string]string{"ETag": "3"}, body: thing, want: "header ETag is not as documented"},
	{name: "no correlation id", path: "/things/1", status: 200, header: map[string]string{"X-Correlation-Id": ""}, body: thing, want: "x-correlation-id"},
	{name: "body where none is documented", method: "PUT", path: "/things/1", sent: thing, status: 200, body: thing, want: "status is not documented"},
	{name: "undocumented path", path: "/nothing", status: 200, body: thing, want: "must answer 404"},
	{name: "undocumented method", method: "DELETE", path: "/things/1", status: 200, body: thing, want: "405 with Allow"},
	{name: "405 without allow", method: "DELETE", path: "/things/1", status: 405, body: thing, want: "405 with Allow"},
	{name: "undocumented query accepted", path: "/things/1?x=1", status: 200, body: thing, want: "not documented: x"},
	{name: "wrong query accepted", path: "/things/1?depth=0", status: 200, body: thing, want: "query depth is not as documented"},
	{name: "repeated query accepted", path: "/things/1?depth=1&depth=2", status: 200, body: thing, want: "more than once"},
	{name: "wrong body accepted", method: "PUT", path: "/things/1", sent: `{"name":1}`, status: 204, want: "accepted request is not as documented"},
	{name: "wrong form accepted", method: "PUT", path: "/things/1", sentType: "application/x-www-form-urlencoded", sent: "name=x&more=1", status: 204, want: "more"},
	{name: "missing body accepted", method: "PUT", path: "/things/1", status: 204, want: "without the body"},
	{name: "body that is not asked for accepted", path: "/things/1", sent: thing, status: 200, body: thing, want: "none is documented"},
}

func TestRefereeSeesFaults(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			heard := &listener{TB: t}
			read := s.play(t, referee.New(heard, []byte(document)).Client())
			if s.method != http.MethodHead && read != s.body {
				t.Errorf("the caller reads %q, want %q", read, s.body)
			}
			switch {
			case s.want == "" && len(heard.faults) > 0:
				t.Errorf("reported %q", heard.faults)
			case s.want != "" && (len(heard.faults) != 1 || !strings.Contains(heard.faults[0], s.want)):
				t.Errorf("reported %q, want one with %q", heard.faults, s.want)
			}
		})
	}
}

// play has a server give the scenario's answer, and returns what the caller reads.
func (s scenario) play(t *testing.T, client *http.Client) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, _ := io.ReadAll(r.Body); string(got) != s.sent {
			t.Errorf("the server reads %q, want %q", got, s.sent)
		}
		h := w.Header()
		h.Set("X-Correlation-Id", "abc")
		h.Set("ETag", `"1"`)
		h.Set("Content-Type", "application/json")
		if s.contentType != "" {
			h.Set("Content-Type", s.contentType)
		}
		if s.contentType == "-" {
			h["Content-Type"] = nil
		}
		for name, value := range s.header {
			if h.Del(name); value != "" {
				h.Set(name, value)
			}
		}
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.body)
	}))
	t.Cleanup(server.Close)
	method := s.method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+s.path, strings.NewReader(s.sent))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.sentType != "" {
		r.Header.Set("Content-Type", s.sentType)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(read)
}

func TestLoadRefusesBrokenDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":           `{`,
		"no object":         `[]`,
		"no responses":      `{"paths":{"/a":{"get":{}}}}`,
		"dangling response": `{"paths":{"/a":{"get":{"responses":{"200":{"$ref":"#/components/responses/X"}}}}}}`,
		"dangling schema":   `{"paths":{"/a":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/X"}}}}}}}}}`,
		"no schema":         `{"paths":{"/a":{"get":{"responses":{"200":{"content":{"application/json":{}}}}}}}}`,
		"wrong schema":      `{"paths":{"/a":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"type":"thing"}}}}}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if loaded, err := referee.Load([]byte(text)); err == nil || loaded != nil {
				t.Error("it was loaded")
			}
		})
	}
}
