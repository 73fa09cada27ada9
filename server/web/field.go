package web

import (
	"encoding"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Field is a member of a PATCH body: absent (not Set), null (Set and Null) or a value.
type Field[T any] struct {
	Set, Null bool
	Value     T // the zero value unless Set and not Null
}

// UnmarshalJSONFrom is called by the decoder for members that are present.
func (f *Field[T]) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	*f = Field[T]{Set: true}
	if decoder.PeekKind() == jsontext.KindNull {
		f.Null = true
		return decoder.SkipValue()
	}
	return json.UnmarshalDecode(decoder, &f.Value)
}

// optionalField lets an error path look into a Field.
type optionalField interface{ valueType() reflect.Type }

func (f Field[T]) valueType() reflect.Type { return reflect.TypeFor[T]() }

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// structExpectation tells objects from values that are a struct in Go and a string in JSON.
func structExpectation(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return "is not a valid text"
	}
	return "must be an object"
}
