package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSIGTERMLosesNoRequest stops a server at work. Its clients keep their connections, as
// balancers do, go elsewhere when they are asked to leave, and never send a request twice.
func TestSIGTERMLosesNoRequest(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	admin.makeAcme()
	m := admin.machine("busy")
	load := startLoad(t, s.url, m.login, 8)
	load.untilAnswered(t, 200)
	s.stop(t)

	for _, err := range load.end() {
		t.Errorf("a request got no answer: %v", err)
	}
	// The use that came last is in the database, not only in the state that may be lost.
	again := p.serve(t).api(t).as(root)
	if again.get(m.path).field(t, "lastUsedAt") == "" {
		t.Error("the last use is not known any more")
	}
}

// load is workers that ask for tokens until they are asked to leave, or leave is set.
type load struct {
	leave    atomic.Bool
	answered atomic.Int64
	done     sync.WaitGroup

	mu     sync.Mutex
	broken []error // requests that were sent and not answered
}

func startLoad(t *testing.T, base string, who login, workers int) *load {
	l := &load{}
	for range workers {
		l.done.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for t.Context().Err() == nil && !l.leave.Load() {
				leave, err := l.ask(t, client, base, who)
				if err != nil {
					l.mu.Lock()
					l.broken = append(l.broken, err)
					l.mu.Unlock()
					return
				}
				l.answered.Add(1)
				if leave {
					return
				}
			}
		})
	}
	return l
}

func (l *load) ask(t *testing.T, client *http.Client, base string, who login) (leave bool, err error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		return false, err
	}
	r.GetBody = nil // without it the client cannot send the request again
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	basic(who)(r)
	response, err := client.Do(r)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", response.StatusCode)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.Close, err
}

func (l *load) untilAnswered(t *testing.T, count int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); l.answered.Load() < count; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are answered, want %d", l.answered.Load(), count)
		}
	}
}

// end waits until every worker has left.
func (l *load) end() []error {
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// TestReadinessEndsBeforeTheServerDoes: after SIGTERM balancers and clients hear that the
// server goes before it does.
func TestReadinessEndsBeforeTheServerDoes(t *testing.T) {
	p := newPlace(t)
	p.bootstrap(t)
	s := p.serve(t)
	kept := connect(t, s.url)
	if answer := kept.ask(t, "/readyz"); answer.status != http.StatusOK || answer.close {
		t.Fatalf("before: status %d, close %v", answer.status, answer.close)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		answer := kept.ask(t, "/readyz")
		if answer.status == http.StatusOK {
			time.Sleep(time.Millisecond)
			continue
		}
		if answer.status != http.StatusServiceUnavailable || !answer.close || answer.header.Get("Retry-After") == "" {
			t.Errorf("while it drains: status %d, close %v, header %v", answer.status, answer.close, answer.header)
		}
		break
	}
	// Who comes all the same is served.
	if answer := connect(t, s.url).ask(t, "/livez"); answer.status != http.StatusOK {
		t.Errorf("a new connection while it drains: status %d", answer.status)
	}
	s.stop(t)
}

// TestSIGTERMWaitsForTheRequestInFlight stops a server that has asked for a body.
func TestSIGTERMWaitsForTheRequestInFlight(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {root.ID}, "client_secret": {root.Secret}}.Encode()
	slow := connect(t, s.url)
	slow.write(t, fmt.Sprintf("POST /token HTTP/1.1\r\nHost: signet\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(form)))
	// The server asks for the body when the handler reads it.
	if answer := slow.read(t); answer.status != http.StatusContinue {
		t.Fatalf("status %d, want 100", answer.status)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitClosed(t, s.url)
	slow.write(t, form)
	if answer := slow.read(t); answer.status != http.StatusOK {
		t.Errorf("the request in flight got status %d, want 200", answer.status)
	}
	s.stop(t)
}

// TestSIGTERMWaitsForNobodyWhoDoesNotAsk: connections that clients opened in advance hold up no stop.
func TestSIGTERMWaitsForNobodyWhoDoesNotAsk(t *testing.T) {
	p := newPlace(t)
	p.bootstrap(t)
	s := p.serve(t)
	connect(t, s.url)
	connect(t, s.url).ask(t, "/livez")
	began := time.Now()
	s.stop(t)
	if took := time.Since(began); took > stopWithin/2 {
		t.Errorf("stopping took %v with nothing in flight", took)
	}
}

// wire is a connection without a client's manners.
type wire struct {
	net.Conn
	reader *bufio.Reader
}

func connect(t *testing.T, base string) *wire {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &wire{conn, bufio.NewReader(conn)}
}

func (w *wire) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// reply is the head of an answer; the body is read.
type reply struct {
	status int
	close  bool
	header http.Header
}

func (w *wire) read(t *testing.T) reply {
	t.Helper()
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Close, response.Header}
}

func (w *wire) ask(t *testing.T, path string) reply {
	t.Helper()
	w.write(t, "GET "+path+" HTTP/1.1\r\nHost: signet\r\n\r\n")
	return w.read(t)
}

// waitClosed waits until the server takes no new connection.
func waitClosed(t *testing.T, base string) {
	t.Helper()
	address := strings.TrimPrefix(base, "http://")
	for deadline := time.Now().Add(stopWithin); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("the server takes new connections after SIGTERM")
}
