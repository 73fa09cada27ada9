package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a form body.
const (
	MaxFormBytes  = 16 << 10
	MaxFormParams = 100
)

const formType = "application/x-www-form-urlencoded"

// ReadForm reads the parameters of a POST body; the query must be empty. Only the names
// in repeatable may occur more than once, and a parameter without a value counts as
// absent (RFC 6749 section 3.1). Every error is an [*Error] that repeats nothing sent.
func ReadForm(r *http.Request, repeatable ...string) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, MethodNotAllowed(http.MethodPost)
	}
	if r.URL.RawQuery != "" {
		return nil, BadRequest("parameters belong in the request body, not in the query")
	}
	body, err := readBody(r, MaxFormBytes)
	if err != nil {
		return nil, err
	}
	if err := checkType(r, formType, false); err != nil {
		return nil, err
	}
	return parseForm(string(body), repeatable)
}

func parseForm(body string, repeatable []string) (url.Values, error) {
	if strings.Contains(body, ";") {
		return nil, BadRequest("a semicolon must be percent-encoded")
	}
	if strings.Count(body, "&") >= MaxFormParams {
		return nil, BadRequest("too many parameters")
	}
	form := url.Values{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, nameOK := formText(rawName)
		value, valueOK := formText(rawValue)
		if !nameOK || !valueOK || name == "" {
			return nil, BadRequest("a parameter is not valid form encoding")
		}
		if _, repeated := form[name]; repeated && !slices.Contains(repeatable, name) {
			return nil, BadRequest("a parameter occurs more than once")
		}
		form[name] = append(form[name], value)
	}
	for name, values := range form {
		if values = slices.DeleteFunc(values, isEmpty); len(values) == 0 {
			delete(form, name)
		} else {
			form[name] = values
		}
	}
	return form, nil
}

func isEmpty(value string) bool { return value == "" }

func formText(raw string) (string, bool) {
	text, err := url.QueryUnescape(raw)
	if err != nil || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", false
	}
	return text, true
}

// isUTF8 reports whether the parameters of a media type name no other character set.
func isUTF8(params map[string]string) bool {
	charset, named := params["charset"]
	return !named || strings.EqualFold(charset, "utf-8")
}
