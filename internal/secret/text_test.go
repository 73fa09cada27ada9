package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/signet-issuer/signet/internal/secret"
)

const canary = "CANARY-7f3a9c"

// credential holds secrets in every place that a careless print may walk through.
type credential struct {
	Name     string
	Exported secret.Text
	hidden   secret.Text
	Pointer  *secret.Text
	List     []secret.Text
	Map      map[string]secret.Text
	Any      any
	nested   struct{ inner secret.Text }
}

func newCredential() credential {
	text := secret.New(canary)
	c := credential{
		Name: "c1", Exported: text, hidden: text, Pointer: &text,
		List: []secret.Text{text}, Map: map[string]secret.Text{"k": text}, Any: text,
	}
	c.nested.inner = text
	return c
}

// leaks also looks for the hex and decimal forms that %x, %q, %d and the like make of text.
func leaks(printed string) bool {
	forms := []string{
		canary,
		fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary),
		strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"),
	}
	for _, form := range forms {
		if strings.Contains(printed, form) {
			return true
		}
	}
	return false
}

func TestLeaksFindsEveryForm(t *testing.T) {
	for _, verb := range []string{"%v", "%q", "%x", "%X", "% x", "%d"} {
		if !leaks(fmt.Sprintf(verb, []byte(canary))) && !leaks(fmt.Sprintf(verb, canary)) {
			t.Errorf("leaks does not see %s", verb)
		}
	}
}

func TestI29_TextPrintsUnderNoVerb(t *testing.T) {
	text, c := secret.New(canary), newCredential()
	values := map[string]any{
		"text": text, "pointer": &text, "struct": c, "struct pointer": &c,
		"slice": []secret.Text{text}, "array": [1]secret.Text{text}, "map": map[string]secret.Text{"k": text},
		"map key": map[any]int{text: 1}, "anonymous": struct{ s secret.Text }{text},
	}
	flags := []string{"", "+", "#", "-", " ", "0", "12", ".3", "+#"}
	for name, value := range values {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flag := range flags {
				format := "%" + flag + string(verb)
				if printed := fmt.Sprintf(format, value); leaks(printed) {
					t.Errorf("%s of %s prints the secret", format, name)
				}
			}
		}
		if leaks(fmt.Sprint(value)) || leaks(fmt.Sprintln(value)) || leaks(string(fmt.Append(nil, value))) {
			t.Errorf("Sprint of %s prints the secret", name)
		}
	}
}

func TestI29_TextPrintsInNoError(t *testing.T) {
	text := secret.New(canary)
	errs := []error{
		fmt.Errorf("bad secret %s", text),
		fmt.Errorf("bad secret %v: %w", newCredential(), errors.ErrUnsupported),
		fmt.Errorf("%w", errors.Join(errors.ErrUnsupported, fmt.Errorf("with %+v", newCredential()))),
	}
	for _, err := range errs {
		if leaks(err.Error()) || leaks(fmt.Sprintf("%+v %#v", err, err)) {
			t.Errorf("an error prints the secret")
		}
	}
	// A verb that does not fit makes fmt bypass String and Format.
	for _, misused := range []string{"%w", "%p", "%!", "%z"} {
		if leaks(fmt.Errorf(misused, text).Error()) {
			t.Errorf("%s prints the secret", misused)
		}
	}
}

func TestI29_TextPrintsInNoLog(t *testing.T) {
	var out bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	handlers := map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, options),
		"json": slog.NewJSONHandler(&out, options),
	}
	c := newCredential()
	for name, handler := range handlers {
		out.Reset()
		log := slog.New(handler).With("with", secret.New(canary)).WithGroup("g")
		log.InfoContext(t.Context(), "m", "text", secret.New(canary), "struct", c, "pointer", &c, "slice", c.List, "map", c.Map)
		log.InfoContext(t.Context(), "m", slog.Group("in", "text", c.Exported, "err", fmt.Errorf("e %v", c)))
		if leaks(out.String()) {
			t.Errorf("the %s handler prints the secret", name)
		}
		if !strings.Contains(out.String(), "[redacted]") {
			t.Errorf("the %s handler does not say [redacted]: %s", name, out.String())
		}
	}
}

func TestI29_TextMarshalsNowhere(t *testing.T) {
	c := newCredential()
	encoders := map[string]func(any) ([]byte, error){
		"encoding/json":      json.Marshal,
		"go-json-experiment": func(v any) ([]byte, error) { return jsonv2.Marshal(v) },
	}
	for name, encode := range encoders {
		for _, value := range []any{c, &c, c.Exported, &c.Exported, c.List, c.Map, map[secret.Text]int{c.Exported: 1}} {
			encoded, err := encode(value)
			if err != nil {
				t.Fatalf("%s of %T: %v", name, value, err)
			}
			if leaks(string(encoded)) || !bytes.Contains(encoded, []byte("[redacted]")) {
				t.Errorf("%s of %T = %s", name, value, encoded)
			}
		}
	}
	encoded, err := xml.Marshal(struct {
		XMLName xml.Name    `xml:"x"`
		S       secret.Text `xml:"s,attr"`
	}{S: c.Exported})
	if err != nil || leaks(string(encoded)) {
		t.Errorf("xml: %v", err)
	}
}

func TestTextDecodesAndReveals(t *testing.T) {
	body := []byte(`{"clientSecret":"` + canary + `"}`)
	decoders := map[string]func([]byte, any) error{
		"encoding/json":      json.Unmarshal,
		"go-json-experiment": func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) },
	}
	for name, decode := range decoders {
		var request struct {
			ClientSecret secret.Text `json:"clientSecret"`
		}
		if !request.ClientSecret.IsZero() {
			t.Errorf("the zero Text is not zero")
		}
		if err := decode(body, &request); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if request.ClientSecret.Reveal() != canary || request.ClientSecret.IsZero() {
			t.Errorf("%s does not decode a secret", name)
		}
	}
	if !secret.New("").IsZero() || secret.New("").Reveal() != "" || (secret.Text{}).Reveal() != "" {
		t.Error("an empty secret is not zero")
	}
	if got := secret.New(canary).String(); got != "[redacted]" {
		t.Errorf("String() = %q", got)
	}
}

func TestTextCopiesStayApart(t *testing.T) {
	first := secret.New("first")
	second := first
	if err := second.UnmarshalText([]byte("second")); err != nil {
		t.Fatal(err)
	}
	if first.Reveal() != "first" || second.Reveal() != "second" {
		t.Errorf("decoding into a copy changed the original: %q, %q", first.Reveal(), second.Reveal())
	}
}
