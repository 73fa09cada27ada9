package redisstate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestF10_RepliesAreFollowed(t *testing.T) {
	tests := map[string]bool{
		"+OK\r\n": true, "-ERR what\r\n": true, ":7\r\n:8\r\n": true, "$-1\r\n+OK\r\n": true, "$0\r\n\r\n:1\r\n": true,
		"$3\r\n\n*9\r\n+OK\r\n": true, "*0\r\n*-1\r\n:1\r\n": true, "*2\r\n*2\r\n$1\r\nx\r\n:1\r\n*1\r\n+x\r\n:1\r\n": true,
		"$8388608\r\n": true, "*131072\r\n": true, strings.Repeat("*1\r\n", maxDepth) + ":1\r\n:1\r\n": true,

		"%1\r\n+a\r\n:1\r\n*1\r\n_\r\n~0\r\n": true, "*1\r\n|1\r\n+a\r\n#t\r\n,1.5\r\n=3\r\ntxt\r\n>1\r\n(99\r\n!1\r\nx\r\n": true,

		"\r\n": false, "x\r\n": false, "HTTP/1.1 400\r\n": false, "?\r\n": false, "%131073\r\n": false, "$?\r\n": false, "*?\r\n": false,
		"$-2\r\n": false, "$x\r\n": false, "$\r\n": false, "$8388609\r\n": false, "$9223372036854775807\r\n": false, "$99999999999999999999\r\n": false,
		"*-2\r\n": false, "*131073\r\n": false, "*x\r\n": false, strings.Repeat("*1\r\n", maxDepth+1): false,
		"+" + strings.Repeat("x", maxLine+1): false, "+" + strings.Repeat("x", maxLine+1) + "\r\n": false,
		"$1\r\nx\r\n!\r\n": false, "*1\r\n$1\r\nx\r\n*1\r\n:1\r\n\x00": true,
	}
	for text, want := range tests {
		for _, whole := range []bool{true, false} {
			r, ok := replies{}, true
			for rest := []byte(text); len(rest) > 0 && ok; {
				n := len(rest)
				if !whole {
					n = 1 + rand.IntN(min(n, 7))
				}
				p := append([]byte{}, rest[:n]...)
				got, err := r.checked(p, n, nil)
				ok = err == nil && got == n
				rest = rest[n:]
			}
			if ok != want {
				t.Errorf("%.40q, whole %t: %t", text, whole, ok)
			}
			if _, err := r.checked([]byte("+OK\r\n"), 5, nil); !want && err == nil {
				t.Errorf("%.40q: the stream goes on", text)
			}
		}
	}
}

func FuzzReplies(f *testing.F) {
	f.Add("*2\r\n$1\r\nx\r\n:1\r\n", 3)
	f.Add("$5\r\nhello\r\n-ERR x\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		if len(text) == 0 {
			return
		}
		cut = (cut%len(text) + len(text)) % len(text)
		var whole, parts replies
		_, want := whole.checked([]byte(text), len(text), nil)
		_, err := parts.checked([]byte(text[:cut]), cut, nil)
		if err == nil {
			_, err = parts.checked([]byte(text[cut:]), len(text)-cut, nil)
		}
		if (err == nil) != (want == nil) || err == nil && fmt.Sprint(whole.skip, whole.open) != fmt.Sprint(parts.skip, parts.open) {
			t.Errorf("%q cut at %d: %v, whole %v", text, cut, err, want)
		}
	})
}
