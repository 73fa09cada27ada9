package authz_test

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/authz"
)

// The model spells a pattern out as the set of all permissions it stands for, over a
// small alphabet. No pattern contains the letter "fresh", so a set covers a pattern in
// the model only when it would with infinitely many letters.
var (
	letters = []string{"a", "orgs", "manage"}
	words   = allWords(append([]string{"fresh"}, letters...), 5)
)

// language says of each word whether it is meant.
type language [1364]bool

func allWords(alphabet []string, longest int) [][]string {
	var all [][]string
	last := [][]string{nil}
	for range longest {
		var next [][]string
		for _, word := range last {
			for _, letter := range alphabet {
				next = append(next, append(slices.Clone(word), letter))
			}
		}
		all = append(all, next...)
		last = next
	}
	return all
}

// exists says that no permission is named orgs:…:manage, as that reads as orgs:…:*.
func exists(word []string) bool {
	return len(word) != 3 || word[0] != "orgs" || word[2] != "manage"
}

func matches(pattern, word []string) bool {
	if len(pattern) == 1 && pattern[0] == "*" {
		return len(word) > 0
	}
	if len(pattern) == 0 || len(word) == 0 {
		return len(pattern) == len(word)
	}
	return (pattern[0] == "*" || pattern[0] == word[0]) && matches(pattern[1:], word[1:])
}

func meaning(patterns ...string) language {
	var l language
	for _, pattern := range patterns {
		segments := strings.Split(pattern, ":")
		for i, word := range words {
			l[i] = l[i] || exists(word) && matches(segments, word)
		}
	}
	return l
}

func setMeaning(s authz.Set) language { return meaning(s.Patterns()...) }

func (l language) and(m language) language {
	for i := range l {
		l[i] = l[i] && m[i]
	}
	return l
}

func (l language) or(m language) language {
	for i := range l {
		l[i] = l[i] || m[i]
	}
	return l
}

func (l language) within(m language) bool { return l.and(m) == l }

func mustPattern(text string) authz.Pattern {
	p, err := authz.ParsePattern(text)
	if err != nil {
		panic(err)
	}
	return p
}

func drawPattern(t *rapid.T, label string) authz.Pattern {
	segment := rapid.SampledFrom(append([]string{"*", "*"}, letters...))
	segments := rapid.SliceOfN(segment, 1, 4).Draw(t, label)
	return mustPattern(strings.Join(segments, ":"))
}

func drawTexts(t *rapid.T, label string) []string {
	texts := make([]string, rapid.IntRange(0, 6).Draw(t, label+" size"))
	for i := range texts {
		texts[i] = string(drawPattern(t, label))
	}
	return texts
}

func drawSet(t *rapid.T, label string) authz.Set { return authz.MustSet(drawTexts(t, label)...) }
