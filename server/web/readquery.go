package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxQueryValueRunes is the length limit of a parameter in the query.
const MaxQueryValueRunes = 255

// ReadQuery reads the parameters of a query, which may have those with these names only, and
// more than once only those in repeatable. Every error is an [*Error] that repeats nothing sent.
func ReadQuery(r *http.Request, names []string, repeatable ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, BadRequest("the query is not valid")
	}
	for name, values := range query {
		if !slices.Contains(names, name) {
			return nil, BadRequest("the query has a parameter that is not known here")
		}
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return nil, BadRequest("the parameter " + name + " occurs more than once")
		}
		if slices.ContainsFunc(values, unfitForQuery) {
			return nil, BadRequest("the parameter " + name + " must be at most 255 printable characters")
		}
	}
	return query, nil
}

func unfitForQuery(text string) bool {
	return !utf8.ValidString(text) || utf8.RuneCountInString(text) > MaxQueryValueRunes || strings.ContainsFunc(text, unicode.IsControl)
}

// QueryNumber reads a parameter from 1 to most, or standard when it is absent.
func QueryNumber(query url.Values, name string, standard, most int) (int, error) {
	sent, ok := query[name]
	if !ok {
		return standard, nil
	}
	n, err := strconv.Atoi(sent[0])
	if err != nil || n < 1 || n > most || strconv.Itoa(n) != sent[0] {
		return 0, BadRequest("the parameter " + name + " must be a whole number from 1 to " + strconv.Itoa(most))
	}
	return n, nil
}
