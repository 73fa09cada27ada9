package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string. Printing, logging or marshalling it yields
// "[redacted]"; only [Text.Reveal] gives it away. Texts do not compare by ==.
type Text struct {
	// fmt calls no method of an unexported field or for a misused verb. It prints what is
	// in there, but follows no pointer to a string.
	value *string
}

// New wraps value.
func New(value string) Text { return Text{value: &value} }

// Reveal returns the secret itself. Call it only where the secret has to leave the process or be hashed.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// String implements [fmt.Stringer].
func (t Text) String() string { return redacted }

// Format implements [fmt.Formatter], so that no verb reaches the value.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], so that a request body decodes into a Text.
func (t *Text) UnmarshalText(text []byte) error {
	*t = New(string(text))
	return nil
}
