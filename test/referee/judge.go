package referee

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// exchange is a request and its answer, with their bodies read.
type exchange struct {
	request  *http.Request
	sent     []byte
	answer   *http.Response
	received []byte
}

var correlationID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// judge lists everything about the exchange that the document does not allow.
func (d *Document) judge(x exchange) []string {
	var faults []string
	if !correlationID.MatchString(x.answer.Header.Get("X-Correlation-Id")) {
		faults = append(faults, "the answer has no x-correlation-id")
	}
	op, known := d.find(x.request.Method, x.request.URL.Path)
	switch {
	case op != nil:
		faults = append(faults, op.judgeAnswer(x)...)
		if x.answer.StatusCode < http.StatusBadRequest {
			faults = append(faults, op.judgeRequest(x)...)
		}
	case known && (x.answer.StatusCode != http.StatusMethodNotAllowed || x.answer.Header.Get("Allow") == ""):
		faults = append(faults, "a method that is not documented must answer 405 with Allow")
	case !known && x.answer.StatusCode != http.StatusNotFound:
		faults = append(faults, "a path that is not documented must answer 404")
	}
	return faults
}

// find answers the operation, or whether the path is one of the document at all. Templates
// with more fixed segments win.
func (d *Document) find(method, path string) (best *operation, known bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	fixed := -1
	for _, op := range d.operations {
		n, fits := op.fixedSegments(path)
		if !fits {
			continue
		}
		known = true
		if op.method == method && n > fixed {
			best, fixed = op, n
		}
	}
	return best, known
}

func (op *operation) fixedSegments(path string) (n int, fits bool) {
	segments := strings.Split(path, "/")
	if len(segments) != len(op.segments) {
		return 0, false
	}
	for i, want := range op.segments {
		switch {
		case segments[i] == want:
			n++
		case !strings.HasPrefix(want, "{") || segments[i] == "":
			return 0, false
		}
	}
	return n, true
}

func (op *operation) judgeAnswer(x exchange) []string {
	answer, ok := op.responses[strconv.Itoa(x.answer.StatusCode)]
	if !ok {
		return []string{"the status is not documented"}
	}
	var faults []string
	for _, header := range answer.headers {
		faults = append(faults, header.judge(x.answer.Header.Values(header.name))...)
	}
	if x.request.Method == http.MethodHead {
		if len(x.received) > 0 {
			faults = append(faults, "the answer to HEAD has a body")
		}
		return faults
	}
	if len(answer.content) == 0 {
		if len(x.received) > 0 {
			faults = append(faults, "the answer has a body and none is documented")
		}
		return faults
	}
	return append(faults, judgeBody("answer", answer.content, x.answer.Header.Get("Content-Type"), x.received)...)
}

func (op *operation) judgeRequest(x exchange) []string {
	var faults []string
	query := x.request.URL.Query()
	for name := range query {
		if !op.has("query", name) {
			faults = append(faults, "accepted a query parameter that is not documented: "+name)
		}
	}
	for _, p := range op.parameters {
		switch p.in {
		case "query":
			faults = append(faults, p.judge(query[p.name])...)
		case "header":
			faults = append(faults, p.judge(x.request.Header.Values(p.name))...)
		}
	}
	switch {
	case len(x.sent) == 0 && op.bodyRequired:
		faults = append(faults, "accepted a request without the body that is required")
	case len(x.sent) > 0 && op.request == nil:
		faults = append(faults, "accepted a request body and none is documented")
	case len(x.sent) > 0:
		faults = append(faults, judgeBody("accepted request", op.request, x.request.Header.Get("Content-Type"), x.sent)...)
	}
	return faults
}

func (op *operation) has(in, name string) bool {
	for _, p := range op.parameters {
		if p.in == in && p.name == name {
			return true
		}
	}
	return false
}

// judge checks the values that a parameter or header has. Text that reads as a number may be one.
func (p parameter) judge(values []string) []string {
	if len(values) == 0 {
		if p.required {
			return []string{"the " + p.in + " " + p.name + " is missing"}
		}
		return nil
	}
	if isArray(p.schema) {
		return p.judgeAll(values)
	}
	if len(values) > 1 {
		return []string{"the " + p.in + " " + p.name + " occurs more than once"}
	}
	err := p.schema.Validate(values[0])
	if err == nil {
		return nil
	}
	if number := json.Number(values[0]); p.schema.Validate(number) == nil {
		if _, bad := number.Float64(); bad == nil {
			return nil
		}
	}
	return []string{fmt.Sprintf("the %s %s is not as documented: %v", p.in, p.name, err)}
}

// judgeAll checks a parameter that may be repeated.
func (p parameter) judgeAll(values []string) []string {
	items := make([]any, len(values))
	for i, value := range values {
		items[i] = value
	}
	if err := p.schema.Validate(items); err != nil {
		return []string{fmt.Sprintf("the %s %s is not as documented: %v", p.in, p.name, err)}
	}
	return nil
}

func judgeBody(what string, content map[string]*jsonschema.Schema, contentType string, body []byte) []string {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return []string{fmt.Sprintf("the %s has no content type", what)}
	}
	schema, ok := content[mediaType]
	if !ok {
		return []string{fmt.Sprintf("the %s is %s, which is not documented", what, mediaType)}
	}
	value, err := decode(mediaType, schema, body)
	if err != nil {
		return []string{fmt.Sprintf("the %s is not %s: %v", what, mediaType, err)}
	}
	if err := schema.Validate(value); err != nil {
		return []string{fmt.Sprintf("the %s is not as documented: %v", what, err)}
	}
	return nil
}

func decode(mediaType string, schema *jsonschema.Schema, body []byte) (any, error) {
	switch {
	case mediaType == "application/json", strings.HasSuffix(mediaType, "+json"):
		return jsonschema.UnmarshalJSON(bytes.NewReader(body))
	case mediaType == "application/x-www-form-urlencoded":
		return decodeForm(schema, string(body))
	default:
		return string(body), nil
	}
}

// decodeForm makes an object of a form. Members that are documented as arrays are arrays.
func decodeForm(schema *jsonschema.Schema, body string) (any, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, err
	}
	for schema.Ref != nil {
		schema = schema.Ref
	}
	value := object{}
	for name, values := range form {
		if len(values) == 1 && !isArray(schema.Properties[name]) {
			value[name] = values[0]
			continue
		}
		items := make([]any, len(values))
		for i := range values {
			items[i] = values[i]
		}
		value[name] = items
	}
	return value, nil
}

func isArray(schema *jsonschema.Schema) bool { return schema != nil && schema.Items2020 != nil }
