package storetest

import (
	"reflect"
	"testing"

	"github.com/signet-issuer/signet/accounts"
)

// requireNoZero fails for each field of a fixture that is zero, at any depth: a field that
// no fixture sets can be lost by a store without anybody noticing.
func requireNoZero(t *testing.T, fixture any) {
	t.Helper()
	value := reflect.ValueOf(fixture)
	for _, path := range zeroFields(value, value.Type().String()) {
		t.Errorf("fixture: %s is zero", path)
	}
}

// zero is what types with a notion of their own answer.
type zero interface{ IsZero() bool }

// isValid is the same for addresses and prefixes.
type isValid interface{ IsValid() bool }

// empty is the same for sets.
type empty interface{ Empty() bool }

var lastUseType = reflect.TypeFor[accounts.LastUse]()

func zeroFields(v reflect.Value, path string) []string {
	none := []string{path}
	switch own := v.Interface().(type) {
	case zero:
		return when(own.IsZero(), none)
	case isValid:
		return when(!own.IsValid(), none)
	case empty:
		return when(own.Empty(), none)
	}
	switch v.Kind() {
	case reflect.Struct:
		var zeros []string
		for i := range v.NumField() {
			field := v.Type().Field(i)
			// Unknown is what the state says when it does not answer; no store can know it.
			if v.Type() == lastUseType && field.Name == "Unknown" {
				continue
			}
			zeros = append(zeros, zeroFields(v.Field(i), path+"."+field.Name)...)
		}
		return zeros
	case reflect.Slice:
		if v.Len() == 0 {
			return none
		}
		var zeros []string
		for i := range v.Len() {
			if v.Index(i).Kind() != reflect.Uint8 {
				zeros = append(zeros, zeroFields(v.Index(i), path+"[]")...)
			}
		}
		return zeros
	case reflect.Pointer:
		if v.IsNil() {
			return none
		}
		return zeroFields(v.Elem(), path)
	}
	return when(v.IsZero(), none)
}

func when(condition bool, paths []string) []string {
	if condition {
		return paths
	}
	return nil
}
