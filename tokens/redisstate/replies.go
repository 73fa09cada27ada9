package redisstate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
)

// What a server may announce. The library makes room for what is announced, whatever comes.
const (
	maxBulk  = 8 << 20
	maxArray = 1 << 17
	maxLine  = 64 << 10
	maxDepth = 8
)

var errReply = errors.New("a reply is larger or of another kind than any that was asked for")

// dialer connects, by TLS when config is not nil, and looks through what comes back.
func dialer(config *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if config != nil {
			conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &checkedConn{Conn: conn}, nil
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			return &checkedTCP{TCPConn: tcp}, nil
		}
		return &checkedConn{Conn: conn}, nil
	}
}

type checkedConn struct {
	net.Conn
	replies replies
}

// Read implements [net.Conn].
func (c *checkedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return c.replies.checked(p, n, err)
}

// checkedTCP keeps the methods of a TCP connection, by which the library sees that it was closed.
type checkedTCP struct {
	*net.TCPConn
	replies replies
}

// Read implements [net.Conn].
func (c *checkedTCP) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	return c.replies.checked(p, n, err)
}

// replies follows a stream of RESP2, or RESP3, which Sentinel speaks with the library.
type replies struct {
	skip  int    // bytes of a string that are still to come
	line  []byte // the beginning of one
	open  []int  // how many elements each open array still misses
	wrong bool
}

func (r *replies) checked(p []byte, n int, err error) (int, error) {
	if r.wrong || !r.follow(p[:n]) {
		r.wrong = true
		return 0, errReply
	}
	return n, err
}

func (r *replies) follow(b []byte) bool {
	for len(b) > 0 {
		if r.skip > 0 {
			n := min(r.skip, len(b))
			r.skip -= n
			b = b[n:]
			continue
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			r.line = append(r.line, b...)
			return len(r.line) <= maxLine
		}
		line := b[:end]
		if len(r.line) > 0 {
			line = append(r.line, line...)
		}
		if !r.header(line) {
			return false
		}
		r.line = r.line[:0]
		b = b[end+1:]
	}
	return true
}

// header takes the first line of a reply, or of an element of one.
func (r *replies) header(line []byte) bool {
	kind, rest := byte(0), bytes.TrimSuffix(line, []byte{'\r'})
	if len(rest) > 0 {
		kind, rest = rest[0], rest[1:]
	}
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		r.element()
		return len(line) <= maxLine
	case '$', '=', '!':
		n, ok := size(rest, maxBulk)
		if n >= 0 {
			r.skip = n + len("\r\n")
		}
		r.element()
		return ok
	case '*', '~', '>':
		n, ok := size(rest, maxArray)
		return ok && r.array(n)
	case '%':
		n, ok := size(rest, maxArray)
		return ok && r.array(2*n)
	case '|':
		// An attribute stands before the element that it belongs to.
		if last := len(r.open) - 1; last >= 0 {
			r.open[last]++
		}
		n, ok := size(rest, maxArray)
		return ok && r.array(2*n)
	}
	return false
}

// size is -1 for nothing at all.
func size(text []byte, most int) (n int, ok bool) {
	n, err := strconv.Atoi(string(text))
	return n, err == nil && n >= -1 && n <= most
}

func (r *replies) array(n int) (ok bool) {
	if n <= 0 {
		r.element()
		return true
	}
	if len(r.open) == maxDepth {
		return false
	}
	r.open = append(r.open, n)
	return true
}

// element counts one more of the innermost open array, which may complete it.
func (r *replies) element() {
	for last := len(r.open) - 1; last >= 0; last-- {
		r.open[last]--
		if r.open[last] > 0 {
			return
		}
		r.open = r.open[:last]
	}
}
