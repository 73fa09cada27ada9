package referee

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document, ready to judge. It is safe for concurrent use.
type Document struct{ operations []*operation }

type operation struct {
	method, template string
	segments         []string
	parameters       []parameter
	request          map[string]*jsonschema.Schema // by media type
	bodyRequired     bool
	responses        map[string]*response // by status
}

type parameter struct {
	name, in string
	required bool
	schema   *jsonschema.Schema
}

type response struct {
	content map[string]*jsonschema.Schema
	headers []parameter
}

var methods = []string{"get", "post", "put", "patch", "delete"}

const resource = "urn:openapi"

// loader reads a document. Keys of objects are visited in order, so that errors are stable.
type loader struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

type object = map[string]any

// Load reads a document in JSON.
func Load(document []byte) (*Document, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	root, ok := parsed.(object)
	if !ok {
		return nil, errors.New("read document: not an object")
	}
	l := &loader{root: root, compiler: jsonschema.NewCompiler()}
	l.compiler.DefaultDraft(jsonschema.Draft2020)
	l.compiler.AssertFormat()
	if err := l.compiler.AddResource(resource, parsed); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	d := &Document{}
	for _, template := range slices.Sorted(maps.Keys(child(root, "paths"))) {
		if err := l.path(d, template); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Operations lists "METHOD template" of every operation, sorted.
func (d *Document) Operations() []string {
	var names []string
	for _, op := range d.operations {
		names = append(names, op.method+" "+op.template)
	}
	slices.Sort(names)
	return names
}

func child(o object, names ...string) object {
	for _, name := range names {
		o, _ = o[name].(object)
	}
	return o
}

func (l *loader) path(d *Document, template string) error {
	item := child(l.root, "paths", template)
	at := "#/paths/" + escape(template)
	for _, method := range methods {
		found, ok := item[method].(object)
		if !ok {
			continue
		}
		op := &operation{method: strings.ToUpper(method), template: template, segments: strings.Split(template, "/")}
		err := errors.Join(
			l.parameters(op, item, at),
			l.parameters(op, found, at+"/"+method),
			l.requestBody(op, found, at+"/"+method),
			l.answers(op, found, at+"/"+method),
		)
		if err != nil {
			return fmt.Errorf("%s %s: %w", op.method, template, err)
		}
		d.operations = append(d.operations, op)
	}
	return nil
}

func (l *loader) parameters(op *operation, from object, at string) error {
	list, _ := from["parameters"].([]any)
	for i := range list {
		found, where, err := l.resolve(list[i], fmt.Sprintf("%s/parameters/%d", at, i))
		if err != nil {
			return err
		}
		schema, err := l.compile(where + "/schema")
		if err != nil {
			return err
		}
		name, _ := found["name"].(string)
		in, _ := found["in"].(string)
		required, _ := found["required"].(bool)
		op.parameters = append(op.parameters, parameter{name: name, in: in, required: required, schema: schema})
	}
	return nil
}

func (l *loader) requestBody(op *operation, from object, at string) (err error) {
	if from["requestBody"] == nil {
		return nil
	}
	body, where, err := l.resolve(from["requestBody"], at+"/requestBody")
	if err != nil {
		return err
	}
	op.bodyRequired, _ = body["required"].(bool)
	op.request, err = l.content(body, where)
	return err
}

func (l *loader) answers(op *operation, from object, at string) error {
	op.responses = map[string]*response{}
	answers := child(from, "responses")
	if len(answers) == 0 {
		return errors.New("has no responses")
	}
	for status := range answers {
		found, where, err := l.resolve(answers[status], at+"/responses/"+status)
		if err != nil {
			return err
		}
		answer := &response{}
		if answer.content, err = l.content(found, where); err != nil {
			return err
		}
		if answer.headers, err = l.headers(found, where); err != nil {
			return err
		}
		op.responses[status] = answer
	}
	return nil
}

func (l *loader) content(from object, at string) (map[string]*jsonschema.Schema, error) {
	content := child(from, "content")
	schemas := make(map[string]*jsonschema.Schema, len(content))
	for mediaType := range content {
		schema, err := l.compile(at + "/content/" + escape(mediaType) + "/schema")
		if err != nil {
			return nil, err
		}
		schemas[mediaType] = schema
	}
	return schemas, nil
}

func (l *loader) headers(from object, at string) ([]parameter, error) {
	var headers []parameter
	for name, value := range child(from, "headers") {
		found, where, err := l.resolve(value, at+"/headers/"+escape(name))
		if err != nil {
			return nil, err
		}
		schema, err := l.compile(where + "/schema")
		if err != nil {
			return nil, err
		}
		required, _ := found["required"].(bool)
		headers = append(headers, parameter{name: name, in: "header", required: required, schema: schema})
	}
	return headers, nil
}

// resolve follows a reference object to another part of the document.
func (l *loader) resolve(value any, at string) (object, string, error) {
	found, ok := value.(object)
	if !ok {
		return nil, "", fmt.Errorf("%s is not an object", at)
	}
	ref, ok := found["$ref"].(string)
	if !ok {
		return found, at, nil
	}
	target := l.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		target = child(target, unescape(part))
	}
	if target == nil {
		return nil, "", fmt.Errorf("%s refers to nothing", at)
	}
	return target, ref, nil
}

func (l *loader) compile(at string) (*jsonschema.Schema, error) {
	schema, err := l.compiler.Compile(resource + at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return schema, nil
}

// escape spells a name as a part of a JSON pointer in a URL fragment (RFC 6901, section 6).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "%", "%25").Replace(name)
}

func unescape(part string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(part) }
