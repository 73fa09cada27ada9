package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// tokenRequest is a whole request, so that the load costs as little as can be.
func tokenRequest(id, secret string) string {
	const body = "grant_type=client_credentials"
	return fmt.Sprintf("POST /token HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAuthorization: Basic %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		base64.StdEncoding.EncodeToString([]byte(id+":"+secret)), len(body), body)
}

// turn is what one server did in one turn.
type turn struct {
	tokens int
	cpu    time.Duration
	took   time.Duration
}

// work lets the process make its tokens of one turn.
func (p *process) work(ctx context.Context, plan plan, requests []string) (turn, error) {
	before, err := p.cpu()
	if err != nil {
		return turn{}, err
	}
	began := time.Now()
	each := plan.tokens / plan.connections
	group, ctx := errgroup.WithContext(ctx)
	for i := range plan.connections {
		group.Go(func() error { return ask(ctx, p.url, requests[i%len(requests)], each) })
	}
	if err := group.Wait(); err != nil {
		return turn{}, err
	}
	took := time.Since(began)
	after, err := p.cpu()
	return turn{tokens: each * plan.connections, cpu: after - before, took: took}, err
}

// ask sends the request so many times over one connection.
func ask(ctx context.Context, url, request string, times int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	reader := bufio.NewReader(conn)
	for range times {
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		if err := skipAnswer(reader); err != nil {
			return err
		}
	}
	return nil
}

var (
	okLine      = []byte("HTTP/1.1 200 OK")
	lengthField = []byte("Content-Length: ")
)

// skipAnswer reads one answer, which has to be a 200 with a length.
func skipAnswer(reader *bufio.Reader) error {
	status, err := reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, okLine) {
		return fmt.Errorf("answered %q", bytes.TrimSpace(status))
	}
	length := -1
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, lengthField); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no length")
	}
	_, err = reader.Discard(length)
	return err
}
