package dialects_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/signet-issuer/signet/accounts"
)

var update = flag.Bool("update", false, "write the golden transcripts instead of comparing with them")

// transcript is what was said through a door, in sections.
type transcript struct {
	archive txtar.Archive
	stable  *names
}

func (tr *transcript) section(name string) {
	tr.archive.Files = append(tr.archive.Files, txtar.File{Name: name})
}

func (tr *transcript) write(text string) {
	if len(tr.archive.Files) == 0 {
		return
	}
	last := &tr.archive.Files[len(tr.archive.Files)-1]
	last.Data = append(last.Data, tr.stable.of(text)...)
}

// remark notes what a section does not show.
func (tr *transcript) remark(text string) { tr.write("# " + text + "\n\n") }

func (tr *transcript) exchange(r *http.Request, sent string, got answer) {
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range sortedNames(r.Header) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "> %s: %s\n", name, readable(value))
		}
	}
	body(&b, "> ", sent)
	fmt.Fprintf(&b, "< %d %s\n", got.status, http.StatusText(got.status))
	echoes := r.Header.Get("X-Client-Request-Id") != ""
	for _, name := range sortedNames(got.header) {
		if name == "X-Correlation-Id" && !echoes || slices.Contains(unremarkable, name) {
			continue
		}
		fmt.Fprintf(&b, "< %s: %s\n", name, strings.Join(got.header[name], ", "))
	}
	body(&b, "< ", got.body)
	tr.write(b.String() + "\n")
}

// unremarkable headers are on every answer, or not ours.
var unremarkable = []string{"Date", "Content-Length", "X-Content-Type-Options"}

func sortedNames(h http.Header) []string {
	var list []string
	for name := range h {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// readable shows what a Basic header carries.
func readable(value string) string {
	coded, ok := strings.CutPrefix(value, "Basic ")
	if !ok {
		return value
	}
	plain, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return value
	}
	return "Basic base64(" + string(plain) + ")"
}

func body(b *strings.Builder, prefix, text string) {
	if text == "" {
		return
	}
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(text), "", "  ") == nil {
		text = indented.String()
	}
	b.WriteString(strings.TrimSpace(prefix) + "\n")
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight(prefix+line, " ") + "\n")
	}
}

// compare holds the transcript against the golden one.
func (tr *transcript) compare(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txtar")
	got := txtar.Format(&tr.archive)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Fatalf("%s:%d was\n%s\nand is\n%s\n(-update writes it anew)", path, i+1, was[i], is[i])
		}
	}
	t.Fatalf("%s has %d lines, and the transcript %d (-update writes it anew)", path, len(was), len(is))
}

// names replaces what differs from run to run by what does not. The same thing gets the same
// name, and an object one for all spellings of its id.
type names struct {
	url   string
	start time.Time
	known map[string]string
	count map[string]int
}

func newNames(url string, start time.Time) *names {
	return &names{url: url, start: start, known: map[string]string{}, count: map[string]int{}}
}

const (
	uuidShape  = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	momentForm = "20060102150405"
)

// The first that fits counts.
var unstable = []struct {
	shape *regexp.Regexp
	name  func(n *names, text string) string
}{
	{regexp.MustCompile(`^eyJ`), func(n *names, text string) string { return n.numbered("JWT", text) }},
	{regexp.MustCompile(`^sas_`), func(n *names, text string) string {
		return text[:len(text)-36] + n.numbered("secret", text)
	}},
	{regexp.MustCompile(`^sat_`), func(n *names, text string) string {
		return text[:len(text)-43] + n.numbered("token", text)
	}},
	{regexp.MustCompile(`^sa_secret_`), func(n *names, text string) string { return "sa_secret_" + n.numbered("secret", text) }},
	{regexp.MustCompile(`^sa_client_`), func(n *names, text string) string { return "sa_client_" + n.numbered("client", text) }},
	{regexp.MustCompile(`^\d{4}-`), (*names).instant},
	{regexp.MustCompile(`^` + uuidShape + `$`), func(n *names, text string) string { return n.numbered("id", text) }},
	{regexp.MustCompile(`^\d{14}$`), (*names).moment},
	{regexp.MustCompile(`^\d{10}$`), (*names).seconds},
	{regexp.MustCompile(`^[A-Z2-7]{26}$`), func(n *names, text string) string { return n.numbered("jti", text) }},
	{regexp.MustCompile(`^.{26}$`), (*names).short},
	{regexp.MustCompile(`^.{32}$`), func(n *names, text string) string { return n.numbered("trace", text) }},
	{regexp.MustCompile(`^.{64}$`), func(n *names, text string) string { return n.numbered("secret", text) }},
	{regexp.MustCompile(`^"hint"`), func(*names, string) string { return `"hint": "[hint]"` }},
}

var anyUnstable = regexp.MustCompile(strings.Join([]string{
	`eyJ[\w-]+\.[\w-]+\.[\w-]+`, `sas_[a-z0-9-]+_` + uuidShape, `sat_[a-z0-9-]+_[A-Za-z0-9_-]{43}`,
	`sa_secret_[A-Za-z0-9]{20}`, `sa_client_[0-9a-f]{12}`, `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`,
	uuidShape, `\b\d{14}\b`, `\b\d{10}\b`, `\b[a-z2-7]{26}\b`, `\b[A-Z2-7]{26}\b`, `\b[0-9a-f]{32}\b`, `\b[A-Za-z0-9]{64}\b`, `"hint": "[^"]*"`,
}, "|"))

func (n *names) of(text string) string {
	text = strings.ReplaceAll(text, n.url, "$S")
	return anyUnstable.ReplaceAllStringFunc(text, func(found string) string {
		for _, kind := range unstable {
			if kind.shape.MatchString(found) {
				return kind.name(n, found)
			}
		}
		return found
	})
}

func (n *names) numbered(kind, text string) string {
	name, ok := n.known[text]
	if !ok {
		n.count[kind]++
		name = "[" + kind + " " + strconv.Itoa(n.count[kind]) + "]"
		n.known[text] = name
	}
	return name
}

// short is an id, whose first bytes are its time, or a client id, which is random.
func (n *names) short(text string) string {
	id, ok := accounts.ParseID(text)
	if !ok || id.Version() != 7 || !near(id, n.start) {
		return n.numbered("client", text)
	}
	return strings.Replace(n.numbered("id", id.String()), "]", ", short]", 1)
}

func near(id uuid.UUID, start time.Time) bool {
	seconds, nanos := id.Time().UnixTime()
	return time.Unix(seconds, nanos).Sub(start).Abs() < 24*time.Hour
}

// dawn is when every transcript begins.
var dawn = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// shifted is a time of the run, of which the unit is what was written, as one after dawn.
func (n *names) shifted(at time.Time, unit time.Duration) time.Time {
	return dawn.Add(at.Sub(n.start.Truncate(unit)))
}

func (n *names) instant(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	form, unit := "2006-01-02T15:04:05Z", time.Second
	if _, fraction, ok := strings.Cut(text, "."); ok {
		digits := len(fraction) - 1
		form = "2006-01-02T15:04:05." + strings.Repeat("0", digits) + "Z"
		for range digits {
			unit /= 10
		}
	}
	return n.shifted(at, unit).Format(form)
}

func (n *names) moment(text string) string {
	at, err := time.Parse(momentForm, text)
	if err != nil {
		return text
	}
	return n.shifted(at, time.Second).Format(momentForm)
}

func (n *names) seconds(text string) string {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return text
	}
	return strconv.FormatInt(n.shifted(time.Unix(at, 0), time.Second).Unix(), 10)
}
