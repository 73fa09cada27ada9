package verify

import (
	"slices"
	"strings"
)

const wildcard = "*"

// HasScope reports whether the token carries the permission, written as segments joined
// by colons. In the scopes of a token a final "*" stands for one or more segments, any
// other "*" for exactly one.
func (t *Token) HasScope(permission string) bool {
	return t != nil && wellFormed(permission) &&
		slices.ContainsFunc(t.Scopes, func(scope string) bool { return covers(scope, permission) })
}

// wellFormed keeps "a::b" from matching "a:*:b" and quotes out of challenges.
func wellFormed(permission string) bool {
	for segment := range strings.SplitSeq(permission, ":") {
		if segment == "" {
			return false
		}
	}
	return !strings.ContainsFunc(permission, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

func covers(scope, permission string) bool {
	for {
		headS, tailS, moreS := strings.Cut(scope, ":")
		headP, tailP, moreP := strings.Cut(permission, ":")
		if headS == wildcard && !moreS {
			return true
		}
		if headP == wildcard && !moreP || headS != wildcard && headS != headP {
			return false
		}
		if !moreS || !moreP {
			return moreS == moreP
		}
		scope, permission = tailS, tailP
	}
}
