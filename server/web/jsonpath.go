package web

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// knownPath spells a JSON pointer as far as its names are those of target's fields. The
// rest, such as the key of a map, is the sender's own text and is left out.
func knownPath(target reflect.Type, pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		target = contained(target)
		switch target.Kind() {
		case reflect.Struct:
			next, ok := member(target, token)
			if !ok {
				return path.String()
			}
			if path.Len() > 0 {
				path.WriteByte('.')
			}
			path.WriteString(token)
			target = next
		case reflect.Slice, reflect.Array:
			index, err := strconv.Atoi(token)
			if err != nil {
				return path.String()
			}
			path.WriteString("[" + strconv.Itoa(index) + "]")
			target = target.Elem()
		default:
			return path.String()
		}
	}
	return path.String()
}

// contained looks through pointers and [Field].
func contained(t reflect.Type) reflect.Type {
	for {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
			continue
		}
		field, ok := reflect.Zero(t).Interface().(optionalField)
		if !ok {
			return t
		}
		t = field.valueType()
	}
}

// member finds the field of a struct, or of a struct embedded in it, that has a JSON name.
func member(t reflect.Type, name string) (reflect.Type, bool) {
	for _, field := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "" {
			tag = field.Name
		}
		if tag == name && field.IsExported() {
			return field.Type, true
		}
	}
	return nil, false
}

// expectation says what a value of type t looks like in JSON.
func expectation(t reflect.Type) string {
	if t == nil {
		return "has the wrong type"
	}
	switch t := contained(t); t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "must be a whole number in range"
	case reflect.Float32, reflect.Float64:
		return "must be a number in range"
	case reflect.Slice, reflect.Array:
		return "must be an array"
	case reflect.Map:
		return "must be an object"
	case reflect.Struct:
		return structExpectation(t)
	default:
		return "is not valid"
	}
}
