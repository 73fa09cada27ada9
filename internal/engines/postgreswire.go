package engines

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

const (
	protocolVersion = 3 << 16
	// maxMessage bounds what one message of a server may claim to hold.
	maxMessage = 1 << 20
)

// query runs sql as one simple query and returns its first row as text.
func query(ctx context.Context, addr, database, sql string) ([]string, error) {
	var row []string
	err := exchange(ctx, addr, func(conn net.Conn) error {
		if _, err := conn.Write(startupMessage(database)); err != nil {
			return err
		}
		in := bufio.NewReader(conn)
		if _, err := untilReady(in); err != nil {
			return err
		}
		if _, err := conn.Write(message('Q', sql+"\x00")); err != nil {
			return err
		}
		first, err := untilReady(in)
		if err != nil {
			return err
		}
		row = first
		_, err = conn.Write(message('X', ""))
		return err
	})
	return row, err
}

func startupMessage(database string) []byte {
	body := binary.BigEndian.AppendUint32(nil, protocolVersion)
	body = append(body, "user\x00"+Superuser+"\x00database\x00"+database+"\x00\x00"...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

func message(kind byte, body string) []byte {
	framed := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	return append(framed, body...)
}

// untilReady reads until the server waits for a query, and returns the first row on the way.
func untilReady(in *bufio.Reader) ([]string, error) {
	var first []string
	for {
		kind, body, err := readMessage(in)
		if err != nil {
			return nil, err
		}
		switch kind {
		case 'Z':
			return first, nil
		case 'E':
			return nil, serverError(body)
		case 'R':
			if !bytes.Equal(body, []byte{0, 0, 0, 0}) {
				return nil, fmt.Errorf("PostgreSQL asks for a password")
			}
		case 'D':
			if first == nil {
				if first, err = readRow(body); err != nil {
					return nil, err
				}
			}
		}
	}
}

func readMessage(in io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > maxMessage {
		return 0, nil, fmt.Errorf("a message of %d bytes from PostgreSQL", size)
	}
	body = make([]byte, size-4)
	_, err = io.ReadFull(in, body)
	return head[0], body, err
}

// readRow decodes a row; NULL reads as the empty string.
func readRow(body []byte) ([]string, error) {
	in := bytes.NewReader(body)
	var columns int16
	if err := binary.Read(in, binary.BigEndian, &columns); err != nil {
		return nil, err
	}
	row := make([]string, columns)
	for i := range row {
		var size int32
		if err := binary.Read(in, binary.BigEndian, &size); err != nil {
			return nil, err
		}
		if size < 0 {
			continue
		}
		value := make([]byte, min(int(size), in.Len()))
		if _, err := io.ReadFull(in, value); err != nil {
			return nil, err
		}
		row[i] = string(value)
	}
	return row, nil
}

func serverError(body []byte) error {
	var code, text string
	for field := range bytes.SplitSeq(body, []byte{0}) {
		if len(field) == 0 {
			continue
		}
		switch field[0] {
		case 'C':
			code = string(field[1:])
		case 'M':
			text = string(field[1:])
		}
	}
	return fmt.Errorf("PostgreSQL: %s (SQLSTATE %s)", text, code)
}
