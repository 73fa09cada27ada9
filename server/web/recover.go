package web

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
)

// Recover answers a panic with an internal error and keeps the connection's other
// requests alive. The cause that it records has the panic's type and place, never its
// value or arguments, which may hold what a client sent.
func Recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			thrown := recover()
			if thrown == nil {
				return
			}
			if err, ok := thrown.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(thrown)
			}
			began := EventFrom(r.Context()).started()
			Fail(w, r, Internal(fmt.Errorf("panic of type %T at %s", thrown, callers())))
			if began {
				// Half an answer must not look whole.
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

const maxFrames = 8

// callers lists the innermost functions below the panic, with their lines.
func callers() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var places []string
	for more := true; more && len(places) < maxFrames; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if strings.HasPrefix(frame.Function, "runtime.") {
			continue
		}
		places = append(places, fmt.Sprintf("%s:%d", frame.Function, frame.Line))
	}
	return strings.Join(places, " < ")
}
