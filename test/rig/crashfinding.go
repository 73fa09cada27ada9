package main

import (
	"fmt"
	"sync"
)

// offence is what kind of promise was broken.
type offence string

const (
	lostWrite  offence = "lost write"
	revivedOne offence = "revoked but active"
	brokenRule offence = "broken promise"
)

// finding is one broken promise.
type finding struct {
	offence offence
	text    string
}

func (f finding) String() string { return string(f.offence) + ": " + f.text }

func lost(format string, args ...any) finding {
	return finding{lostWrite, fmt.Sprintf(format, args...)}
}

func revived(format string, args ...any) finding {
	return finding{revivedOne, fmt.Sprintf(format, args...)}
}

func wrong(format string, args ...any) finding {
	return finding{brokenRule, fmt.Sprintf(format, args...)}
}

// findings collects. It is safe for concurrent use.
type findings struct {
	mu   sync.Mutex
	list []finding
}

func (f *findings) add(more ...finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, more...)
}

func (f *findings) all() []finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]finding(nil), f.list...)
}

func (f *findings) any() bool { return len(f.all()) > 0 }

func (f *findings) count(of offence) int {
	n := 0
	for _, one := range f.all() {
		if one.offence == of {
			n++
		}
	}
	return n
}
