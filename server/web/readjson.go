package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a JSON body.
const (
	MaxJSONBytes  = 64 << 10
	MaxJSONDepth  = 16
	MaxJSONValues = 4096
)

// JSONOption loosens [ReadJSON] where a dialect documents it.
type JSONOption int

const (
	// OptionalBody accepts an empty body and leaves the target as it is.
	OptionalBody JSONOption = iota + 1
	// OptionalType accepts a body without a Content-Type.
	OptionalType
)

// ReadJSON decodes the body into v, a pointer. Names match exactly; unknown and repeated
// members, anything after the value and bodies over the limits are refused. Every error
// is an [*Error] that repeats nothing of the body.
func ReadJSON(r *http.Request, v any, options ...JSONOption) error {
	var optionalBody, optionalType bool
	for _, option := range options {
		optionalBody = optionalBody || option == OptionalBody
		optionalType = optionalType || option == OptionalType
	}
	body, err := readBody(r, MaxJSONBytes)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		if optionalBody {
			return nil
		}
		return BadRequest("the request body is empty")
	}
	if err := checkType(r, "application/json", optionalType); err != nil {
		return err
	}
	if err := checkShape(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return jsonError(err, reflect.TypeOf(v))
	}
	return nil
}

// readBody reads at most limit bytes. The declared length is checked first, so that an
// oversized body costs nothing.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, PayloadTooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, PayloadTooLarge(limit)
	}
	if err != nil {
		return nil, BadRequest("the request body could not be read")
	}
	return body, nil
}

func checkType(r *http.Request, want string, optional bool) error {
	if _, encoded := r.Header["Content-Encoding"]; encoded {
		return UnsupportedMediaType(want + " without a content encoding")
	}
	sent, err := OneHeader(r, "Content-Type")
	if err != nil {
		return err
	}
	if sent == "" && optional {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(sent)
	if err != nil || mediaType != want || !isUTF8(params) {
		return UnsupportedMediaType(want)
	}
	return nil
}

// checkShape bounds depth and number of values before anything is built. It counts
// outside of strings; whether brackets match is for the decoder to say.
func checkShape(body []byte) error {
	depth, values, quoted := 0, 1, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
		if depth > MaxJSONDepth {
			return BadRequest("the request body is nested too deeply")
		}
	}
	if values > MaxJSONValues {
		return BadRequest("the request body has too many values")
	}
	return nil
}

// jsonError turns a decoder's error, which may quote the body, into one that does not.
func jsonError(err error, target reflect.Type) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		at := semantic.JSONPointer
		if errors.Is(err, json.ErrUnknownName) {
			return Invalid(FieldError{knownPath(target, at.Parent()), "has a member that is not known"})
		}
		return Invalid(FieldError{knownPath(target, at), expectation(semantic.GoType)})
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return Invalid(duplicateName(target, syntactic.JSONPointer))
		}
	}
	return BadRequest("the request body is not well-formed JSON")
}

func duplicateName(target reflect.Type, at jsontext.Pointer) FieldError {
	parent := knownPath(target, at.Parent())
	if member := knownPath(target, at); member != parent {
		return FieldError{member, "occurs more than once"}
	}
	return FieldError{parent, "has a member that occurs more than once"}
}
