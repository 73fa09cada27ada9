package sqldb_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
)

// link is the way to a server, which can be cut, reset or made to swallow everything.
type link struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	dead   bool                        // refuses new connections
	silent chan struct{}               // nothing passes until it is closed; nil: all passes
	watch  func(sent []byte) (ok bool) // sees what a client sends; false: the answer is lost
	conns  map[net.Conn]bool
}

// newLink returns a link to the server that url names, and the url that goes through it.
func newLink(t *testing.T, url string) (*link, string) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(url, "@")
	target, _, _ := strings.Cut(rest, "/")
	l := &link{listener: listener, target: target, conns: map[net.Conn]bool{}}
	var group sync.WaitGroup
	group.Go(func() { l.serve(&group) })
	t.Cleanup(func() {
		l.pass()
		_ = listener.Close()
		l.reset()
		group.Wait()
	})
	return l, strings.Replace(url, target, listener.Addr().String(), 1)
}

func (l *link) serve(group *sync.WaitGroup) {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		var dialer net.Dialer
		far, err := dialer.DialContext(context.Background(), "tcp", l.target)
		l.mu.Lock()
		if err != nil || l.dead {
			_ = near.Close()
			if err == nil {
				_ = far.Close()
			}
			l.mu.Unlock()
			continue
		}
		l.conns[near], l.conns[far] = true, true
		l.mu.Unlock()
		group.Go(func() { l.forward(far, near, true) })
		group.Go(func() { l.forward(near, far, false) })
	}
}

func (l *link) forward(to, from net.Conn, sent bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		silent, watch := l.silent, l.watch
		l.mu.Unlock()
		if silent != nil {
			<-silent
		}
		lost := sent && watch != nil && !watch(buffer[:n])
		if lost {
			_ = from.Close()
		}
		if _, err := to.Write(buffer[:n]); err != nil || lost {
			return
		}
	}
}

// cut ends all connections and refuses new ones, until mend.
func (l *link) cut() { l.set(func() { l.dead = true }); l.reset() }

func (l *link) mend() { l.set(func() { l.dead = false }) }

// reset ends all connections the hard way, new ones are welcome.
func (l *link) reset() {
	l.set(func() {
		for conn := range l.conns {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
			delete(l.conns, conn)
		}
	})
}

// swallow lets nothing pass, until pass.
func (l *link) swallow() { l.set(func() { l.silent = make(chan struct{}) }) }

func (l *link) pass() {
	l.set(func() {
		if l.silent != nil {
			close(l.silent)
			l.silent = nil
		}
	})
}

// loseAnswerTo ends the client's connection at the first statement that has the text, which
// the server gets all the same, and calls then.
func (l *link) loseAnswerTo(text string, then func()) {
	var once sync.Once
	l.set(func() {
		l.watch = func(sent []byte) bool {
			ok := true
			if bytes.Contains(sent, []byte(text)) {
				once.Do(func() { ok = false; then() })
			}
			return ok
		}
	})
}

func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}
