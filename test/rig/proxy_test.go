package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// startEcho serves one word for each line.
func startEcho(t *testing.T, word string) string {
	t.Helper()
	socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if _, err := io.WriteString(conn, word+"\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return socket.Addr().String()
}

// say asks over a new connection.
func say(ctx context.Context, addr string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestProxyBreaksAndHealsOneLink(t *testing.T) {
	p, err := startProxy(t.Name(), startEcho(t, "right"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.cut()
	other := startEcho(t, "wrong")
	hears := func(what, want string) {
		t.Helper()
		if got, err := say(t.Context(), p.addr()); err != nil || got != want+"\n" {
			t.Errorf("%s: heard %q, %v, want %q", what, got, err, want)
		}
	}
	hears("untouched", "right")

	p.cut()
	if _, err := say(t.Context(), p.addr()); err == nil {
		t.Error("a cut link carries an answer")
	}
	healed(t, p)
	hears("healed after a cut", "right")

	if err := p.reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := say(t.Context(), p.addr()); err == nil {
		t.Error("a link that is reset carries an answer")
	}
	healed(t, p)
	hears("healed after resets", "right")

	const delay = 100 * time.Millisecond
	if err := p.latency(delay); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	hears("slow", "right")
	if took := time.Since(began); took < delay {
		t.Errorf("a slow link answers after %v, want at least %v", took, delay)
	}
	healed(t, p)

	if err := p.lead(other); err != nil {
		t.Fatal(err)
	}
	hears("led elsewhere", "wrong")
	healed(t, p)
	hears("led back", "right")
}

func healed(t *testing.T, p *proxy) {
	t.Helper()
	if err := p.heal(t.Context()); err != nil {
		t.Fatal(err)
	}
}
