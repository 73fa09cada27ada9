package dialects_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// words splits a command line as a POSIX shell does, for what vendors' examples use: quotes and
// backslashes, and no expansion.
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	var quote rune
	started, escaped := false, false
	for _, char := range line {
		switch {
		case escaped:
			escaped = false
			if char != '\n' {
				word.WriteRune(char)
				started = true
			}
		case char == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && char == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(char)
		case char == '\'' || char == '"':
			quote, started = char, true
		case strings.ContainsRune(" \t\n", char):
			if started {
				list = append(list, word.String())
				word.Reset()
			}
			started = false
		case strings.ContainsRune("$`|;&()", char):
			return nil, fmt.Errorf("%q means more than itself to a shell", char)
		default:
			word.WriteRune(char)
			started = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("the line does not end")
	}
	if started {
		list = append(list, word.String())
	}
	return list, nil
}

// curl makes the request that a command line of curl's means.
func curl(t testing.TB, line string) *http.Request {
	t.Helper()
	args, err := words(line)
	if err != nil || len(args) == 0 || args[0] != "curl" {
		t.Fatalf("no curl in %q: %v", args, err)
	}
	options := map[string][]string{}
	for i := 1; i < len(args); i += 2 {
		if i+1 == len(args) || !slices.Contains([]string{"--request", "--url", "--header", "--data"}, args[i]) {
			t.Fatalf("curl with %q", args[i])
		}
		options[args[i]] = append(options[args[i]], args[i+1])
	}
	if len(options["--url"]) != 1 || len(options["--request"]) != 1 || len(options["--data"]) > 1 {
		t.Fatalf("curl with %q", options)
	}
	r, err := http.NewRequestWithContext(t.Context(), options["--request"][0], options["--url"][0], strings.NewReader(strings.Join(options["--data"], "")))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range options["--header"] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("curl with the header %q", line)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r
}

func TestWords(t *testing.T) {
	got, err := words("a  'b \"c' \\\n \"d 'e\" f\\ g '' h'i'\n")
	if want := []string{"a", `b "c`, `d 'e`, "f g", "", "hi"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"'a", `a\`, "a $b", "a | b"} {
		if got, err := words(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

// run sends a request past the referee.
func (w *world) run(t testing.TB, r *http.Request) answer {
	t.Helper()
	response, err := w.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r.Method + " " + r.URL.Path, response.StatusCode, response.Header, string(read)}
}
