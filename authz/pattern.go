package authz

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of the grammar that permissions and scopes share.
const (
	MaxSegments     = 8
	MaxPatternBytes = 128
	MaxPatterns     = 64

	// MaxMeets is how many pairs of patterns one intersection looks at: the most that an
	// account may hold with the most that a ceiling may have.
	MaxMeets = MaxHeld * MaxPatterns
)

// ErrPattern reports text that is not a pattern. It never carries the text.
var ErrPattern = errors.New("not a valid permission or scope pattern")

const wildcard = "*"

// Pattern is one permission or scope: segments joined by colons. A final "*"
// stands for one or more segments, any other "*" for exactly one. Only
// [ParsePattern] makes valid ones.
type Pattern string

// ParsePattern reads one pattern. Each segment is made of scope-token characters
// (RFC 6749, section 3.3); the administrator's action "manage" reads as "*".
func ParsePattern(text string) (Pattern, error) {
	if text == "" || len(text) > MaxPatternBytes {
		return "", fmt.Errorf("%w: 1 to %d bytes", ErrPattern, MaxPatternBytes)
	}
	segments := strings.Split(text, ":")
	if len(segments) > MaxSegments {
		return "", fmt.Errorf("%w: at most %d segments", ErrPattern, MaxSegments)
	}
	for _, segment := range segments {
		if !validSegment(segment) {
			return "", fmt.Errorf("%w: a segment is \"*\" or scope characters without \"*\"", ErrPattern)
		}
	}
	if namesManage(segments) {
		segments[2] = wildcard
	}
	return Pattern(strings.Join(segments, ":")), nil
}

// namesManage reports the spelling orgs:…:manage, which is another one of orgs:…:*.
func namesManage(segments []string) bool {
	return len(segments) == 3 && segments[0] == adminPrefix && segments[2] == "manage"
}

func validSegment(segment string) bool {
	if segment == wildcard {
		return true
	}
	for i := range len(segment) {
		c := segment[i]
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '*' {
			return false
		}
	}
	return segment != ""
}

// Covers reports whether every permission that q stands for is one of p's.
func (p Pattern) Covers(q Pattern) bool {
	restP, restQ := string(p), string(q)
	for {
		headP, tailP, moreP := strings.Cut(restP, ":")
		headQ, tailQ, moreQ := strings.Cut(restQ, ":")
		if headP == wildcard && !moreP {
			return true
		}
		if headQ == wildcard && !moreQ {
			return false
		}
		if headP != wildcard && headP != headQ {
			return false
		}
		if !moreP || !moreQ {
			return moreP == moreQ
		}
		restP, restQ = tailP, tailQ
	}
}

// Meet returns the pattern of what p and q have in common, and false when that
// is nothing. Two patterns meet in at most one.
func (p Pattern) Meet(q Pattern) (Pattern, bool) {
	if p == q || q.Covers(p) {
		return p, true
	}
	if p.Covers(q) {
		return q, true
	}
	segmentsP, segmentsQ := strings.Split(string(p), ":"), strings.Split(string(q), ":")
	if len(segmentsP) > len(segmentsQ) {
		segmentsP, segmentsQ = segmentsQ, segmentsP
	}
	if len(segmentsP) < len(segmentsQ) && segmentsP[len(segmentsP)-1] != wildcard {
		return "", false
	}
	met := make([]string, len(segmentsQ))
	for i, segment := range segmentsQ {
		other := segmentsP[min(i, len(segmentsP)-1)]
		switch {
		case segment == wildcard && i == len(segmentsQ)-1 && len(segmentsP) == len(segmentsQ),
			segment == wildcard && i < len(segmentsP)-1:
			met[i] = other
		case other == wildcard || other == segment:
			met[i] = segment
		default:
			return "", false
		}
	}
	// As in *:*:manage with orgs:*. No permission has this name, and who reads it back would read more.
	if namesManage(met) {
		return "", false
	}
	joined := strings.Join(met, ":")
	// Two patterns of the allowed length can meet in one that nobody could write or read back.
	if len(joined) > MaxPatternBytes {
		return "", false
	}
	return Pattern(joined), true
}
