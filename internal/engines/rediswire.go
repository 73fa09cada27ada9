package engines

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// command sends one command and returns its answer as text: the elements of an array one a
// line, and nothing for a null.
func command(ctx context.Context, addr string, args []string) (string, error) {
	var request strings.Builder
	fmt.Fprintf(&request, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	var answer string
	err := exchange(ctx, addr, func(conn net.Conn) error {
		if _, err := io.WriteString(conn, request.String()); err != nil {
			return err
		}
		read, err := readReply(bufio.NewReader(conn))
		answer = read
		return err
	})
	return answer, err
}

// redisError is an error that the server itself has answered.
type redisError string

func (e redisError) Error() string { return "Redis: " + string(e) }

func readReply(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty line from Redis")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", redisError(rest)
	case '$':
		return readBulk(in, rest)
	case '*':
		return readArray(in, rest)
	}
	return "", fmt.Errorf("a reply of the kind %q from Redis", kind)
}

func readBulk(in *bufio.Reader, length string) (string, error) {
	size, err := strconv.Atoi(length)
	if err != nil || size < 0 {
		return "", err
	}
	if size > maxMessage {
		return "", fmt.Errorf("a reply of %d bytes from Redis", size)
	}
	text := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(in, text); err != nil {
		return "", err
	}
	return string(text[:size]), nil
}

func readArray(in *bufio.Reader, length string) (string, error) {
	count, err := strconv.Atoi(length)
	if err != nil || count < 0 {
		return "", err
	}
	var lines []string
	for range count {
		line, err := readReply(in)
		if err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}
