package secret_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/signet-issuer/signet/internal/secret"
)

const label = "signing-key:k1"

func newKey(t *testing.T) (secret.Key, secret.Text) {
	t.Helper()
	key, text, err := secret.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func seal(t *testing.T, key secret.Key, plaintext []byte) []byte {
	t.Helper()
	sealed, err := key.Seal(rand.Reader, label, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestI31_SealOpensOnlyUnderTheSameKeyAndLabel(t *testing.T) {
	key, text := newKey(t)
	other, _ := newKey(t)
	again, err := secret.ParseKey(text.Reveal() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, plaintext := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("private"), 100)} {
		sealed := seal(t, key, plaintext)
		if len(plaintext) > 1 && bytes.Contains(sealed, plaintext[:8]) {
			t.Error("the sealed value shows its plaintext")
		}
		for name, opener := range map[string]secret.Key{"same": key, "parsed again": again} {
			opened, err := opener.Open(label, sealed)
			if err != nil || !bytes.Equal(opened, plaintext) {
				t.Errorf("%s key: %q, %v", name, opened, err)
			}
		}
		for _, wrong := range []string{"", "signing-key:k2", "pepper:k1", label + " ", label[:len(label)-1], strings.ToUpper(label)} {
			refused(t, "label "+wrong, key, wrong, sealed)
		}
		refused(t, "other key", other, label, sealed)
	}
}

// A ring seals under its first key and opens what any of its keys sealed, so that replicas can
// exchange the key one after the other.
func TestI31_RingSealsUnderItsFirstKeyAndOpensUnderAll(t *testing.T) {
	var keys []secret.Key
	var lines []string
	for range secret.MaxKeys {
		key, text := newKey(t)
		keys, lines = append(keys, key), append(lines, text.Reveal())
	}
	stranger, _ := newKey(t)
	for _, end := range []string{"", "\n"} {
		ring, err := secret.ParseKey(strings.Join(lines, "\n") + end)
		if err != nil {
			t.Fatal(err)
		}
		sealed := seal(t, ring, []byte("by the ring"))
		for i, key := range keys {
			opened, err := ring.Open(label, seal(t, key, []byte{byte(i)}))
			if err != nil || !bytes.Equal(opened, []byte{byte(i)}) {
				t.Errorf("key %d of the ring: opened %q, %v", i, opened, err)
			}
			if i > 0 {
				refused(t, fmt.Sprintf("key %d alone", i), key, label, sealed)
			}
		}
		if opened, err := keys[0].Open(label, sealed); err != nil || string(opened) != "by the ring" {
			t.Errorf("the first key alone: opened %q, %v", opened, err)
		}
		refused(t, "a stranger's seal", ring, label, seal(t, stranger, []byte("x")))
		refused(t, "another label", ring, label+"x", sealed)
	}
}

func TestI31_DamagedSealIsRefused(t *testing.T) {
	single, text := newKey(t)
	_, other := newKey(t)
	ring, err := secret.ParseKey(other.Reveal() + "\n" + text.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, single, []byte("a private key"))
	for name, key := range map[string]secret.Key{"key": single, "ring": ring} {
		t.Run(name, func(t *testing.T) { damage(t, key, sealed) })
	}
}

// damage cuts sealed and flips every bit of it.
func damage(t *testing.T, key secret.Key, sealed []byte) {
	t.Helper()
	for n := range sealed {
		refused(t, fmt.Sprintf("truncated to %d", n), key, label, sealed[:n])
		refused(t, fmt.Sprintf("without its first %d", n+1), key, label, sealed[n+1:])
		for bit := range 8 {
			flipped := bytes.Clone(sealed)
			flipped[n] ^= 1 << bit
			refused(t, fmt.Sprintf("byte %d bit %d", n, bit), key, label, flipped)
		}
	}
	refused(t, "longer", key, label, append(bytes.Clone(sealed), 0))
	refused(t, "nil", key, label, nil)
}

func refused(t *testing.T, what string, key secret.Key, label string, sealed []byte) {
	t.Helper()
	opened, err := key.Open(label, sealed)
	if !errors.Is(err, secret.ErrSealed) || opened != nil {
		t.Errorf("%s: opened %q, %v", what, opened, err)
	}
}

func TestSealNeverRepeatsItself(t *testing.T) {
	key, _ := newKey(t)
	if bytes.Equal(seal(t, key, []byte("same")), seal(t, key, []byte("same"))) {
		t.Error("two seals of the same value are equal")
	}
}

func TestSealNeedsRandomness(t *testing.T) {
	key, _ := newKey(t)
	broken := iotest.ErrReader(io.ErrClosedPipe)
	if sealed, err := key.Seal(broken, label, []byte("x")); !errors.Is(err, io.ErrClosedPipe) || sealed != nil {
		t.Errorf("Seal without randomness: %v", err)
	}
	if _, text, err := secret.GenerateKey(io.LimitReader(rand.Reader, secret.KeySize-1)); !errors.Is(err, io.ErrUnexpectedEOF) || !text.IsZero() {
		t.Errorf("GenerateKey with too little randomness: %v", err)
	}
}

func TestParseKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb}, secret.KeySize)
	good := base64.StdEncoding.EncodeToString(raw)
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"plain", good, true},
		{"final newline", good + "\n", true},
		{"final CR LF", good + "\r\n", true},
		{"two newlines", good + "\n\n", false},
		{"two keys", good + "\n" + good, true},
		{"two keys, CR LF", good + "\r\n" + good + "\r\n", true},
		{"as many as may be", strings.Repeat(good+"\n", secret.MaxKeys), true},
		{"too many", strings.Repeat(good+"\n", secret.MaxKeys+1), false},
		{"empty line between", good + "\n\n" + good, false},
		{"second one short", good + "\nAAAA", false},
		{"two on one line", good + " " + good, false},
		{"CR alone between", good + "\r" + good, false},
		{"newline inside", good[:20] + "\n" + good[20:], false},
		{"leading newline", "\n" + good, false},
		{"leading space", " " + good, false},
		{"trailing space", good + " ", false},
		{"empty", "", false},
		{"no padding", strings.TrimRight(good, "="), false},
		{"URL alphabet", base64.URLEncoding.EncodeToString(raw), false},
		{"hex", fmt.Sprintf("%x", raw), false},
		{"31 bytes", base64.StdEncoding.EncodeToString(raw[1:]), false},
		{"33 bytes", base64.StdEncoding.EncodeToString(append(raw, 1)), false},
		{"unused bits set", good[:len(good)-2] + "9=", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := secret.ParseKey(tt.text)
			if (err == nil) != tt.ok {
				t.Errorf("err = %v, want ok %t", err, tt.ok)
			}
			if err != nil && tt.text != "" && strings.Contains(err.Error(), strings.TrimSpace(tt.text)) {
				t.Errorf("the error repeats the key")
			}
		})
	}
}

func TestNewKeySize(t *testing.T) {
	for _, size := range []int{0, 16, 24, 31, 33, 64} {
		if _, err := secret.NewKey(make([]byte, size)); err == nil {
			t.Errorf("a key of %d bytes is accepted", size)
		}
	}
}

func TestI29_KeyPrintsNowhere(t *testing.T) {
	raw := []byte(canary + canary + canary)[:secret.KeySize]
	line := base64.StdEncoding.EncodeToString(raw)
	key, err := secret.ParseKey(line + "\n" + line)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct {
		Key    secret.Key
		hidden secret.Key
	}{key, key}
	var out bytes.Buffer
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flag := range []string{"", "+", "#"} {
			fmt.Fprintf(&out, "%"+flag+string(verb), key)
			fmt.Fprintf(&out, "%"+flag+string(verb), &holder)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "m", "key", key, "holder", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "m", "key", key, "holder", holder)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	if leaks(out.String()) {
		t.Error("the master key is printed")
	}
}

// FuzzParseKey: what is accepted seals and opens, as each of its lines does alone, and what is
// not accepted is not quoted.
func FuzzParseKey(f *testing.F) {
	first := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, secret.KeySize))
	second := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, secret.KeySize))
	for _, text := range []string{first, first + "\n" + second, first + "\r\n" + second + "\n", "\n" + first, first[1:], ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ring, err := secret.ParseKey(text)
		if err != nil {
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Fatal("the error repeats the text")
			}
			return
		}
		for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			key, err := secret.ParseKey(line)
			if err != nil {
				t.Fatalf("line %d alone: %v", i, err)
			}
			if opened, err := ring.Open(label, seal(t, key, []byte("x"))); err != nil || string(opened) != "x" {
				t.Fatalf("line %d: %v", i, err)
			}
			if i == 0 {
				if opened, err := key.Open(label, seal(t, ring, []byte("y"))); err != nil || string(opened) != "y" {
					t.Fatalf("the ring does not seal under its first line: %v", err)
				}
			}
		}
	})
}
