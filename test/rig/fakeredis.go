package main

import (
	"context"
	"net"
	"strings"
	"sync"
)

// nonsense is what the fake answers, in turn. Some of it is what a Redis says when it is
// unwell, some no Redis ever says.
var nonsense = []string{
	"+OK\r\n", ":1\r\n", "$-1\r\n", "*0\r\n", "$3\r\nabc\r\n",
	"-LOADING Redis is loading the dataset in memory\r\n",
	"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
	"-READONLY You can't write against a read only replica.\r\n",
	"-MOVED 3999 127.0.0.1:1\r\n", "-ASK 3999 127.0.0.1:1\r\n", "-CLUSTERDOWN Hash slot not served\r\n",
	"-NOAUTH Authentication required.\r\n", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
	"*3\r\n$1\r\na\r\n:2\r\n*-1\r\n", "$5\r\nab", "*1000000\r\n", "$536870912\r\n", "$-7\r\n", "*-9\r\n",
	"%1\r\n+a\r\n:1\r\n", ",nan\r\n", ">2\r\n+invalidate\r\n*0\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
	"\x00\xff\xfe\r\n", strings.Repeat("x", 70_000) + "\r\n", "\r\n", ":99999999999999999999999999\r\n",
}

// fakeRedis answers every read from a connection with the next piece of nonsense.
type fakeRedis struct {
	socket net.Listener
	done   sync.WaitGroup

	mu    sync.Mutex
	turn  int
	conns []net.Conn
}

func startFakeRedis(ctx context.Context) (*fakeRedis, error) {
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &fakeRedis{socket: socket}
	f.done.Go(f.accept)
	return f, nil
}

func (f *fakeRedis) addr() string { return f.socket.Addr().String() }

func (f *fakeRedis) accept() {
	for {
		conn, err := f.socket.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns = append(f.conns, conn)
		f.mu.Unlock()
		f.done.Go(func() { f.answer(conn) })
	}
}

func (f *fakeRedis) answer(conn net.Conn) {
	polite := f.next()%3 != 0 // lets the client in, so that its real commands meet nonsense
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		text := ""
		if polite {
			text = welcome(string(buffer[:n]))
		}
		if text == "" {
			// One command may come alone or with many others: answers for some, and not for all.
			for range 1 + f.next()%4 {
				text += nonsense[f.next()%len(nonsense)]
			}
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
	}
}

// welcome answers the commands that a client sends first, as an old Redis does, and
// nothing to any other.
func welcome(commands string) string {
	lower := strings.ToLower(commands)
	switch {
	case strings.Contains(lower, "hello\r\n"):
		return "-ERR unknown command 'HELLO'\r\n"
	case strings.Contains(lower, "client\r\n"):
		return strings.Repeat("+OK\r\n", strings.Count("\r\n"+commands, "\r\n*"))
	default:
		return ""
	}
}

func (f *fakeRedis) next() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn++
	return f.turn
}

func (f *fakeRedis) close() {
	_ = f.socket.Close() // all that is left of it is the end of accept
	f.mu.Lock()
	for _, conn := range f.conns {
		_ = conn.Close()
	}
	f.mu.Unlock()
	f.done.Wait()
}
