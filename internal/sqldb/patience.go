package sqldb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// patientConn waits only so long for each answer, whoever asks and however: the driver has
// no time-out of its own for a commit, the rows of a result or what its contexts leave open.
// When the server has kept us waiting for too long the connection is spent, and closing it
// takes no time either.
type patientConn struct {
	net.Conn

	mu          sync.Mutex
	patience    time.Duration // 0: without end
	read, write deadlines
	spent       bool
}

// deadlines are the driver's own and ours for what is going on, zero for none.
type deadlines struct{ theirs, ours time.Time }

func (d deadlines) first() time.Time {
	if d.theirs.IsZero() || (!d.ours.IsZero() && d.ours.Before(d.theirs)) {
		return d.ours
	}
	return d.theirs
}

func patientDial(patience time.Duration) pgconn.DialFunc {
	dialer := &net.Dialer{Timeout: acquireLimit}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &patientConn{Conn: conn, patience: patience}, nil
	}
}

// setPatience changes how long a connection of a pool waits from now on.
func setPatience(driverConn any, patience time.Duration) error {
	conn, err := patient(driverConn)
	if err != nil {
		return err
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	conn.patience = patience
	return nil
}

func patient(driverConn any) (*patientConn, error) {
	conn, ok := driverConn.(*stdlib.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is not a connection of pgx", driverConn)
	}
	network := conn.Conn().PgConn().Conn()
	if encrypted, ok := network.(*tls.Conn); ok {
		network = encrypted.NetConn()
	}
	found, ok := network.(*patientConn)
	if !ok {
		return nil, fmt.Errorf("%T has no patience to set", network)
	}
	return found, nil
}

// Read implements [net.Conn].
func (c *patientConn) Read(b []byte) (int, error) {
	limit, err := c.arm(&c.read, c.Conn.SetReadDeadline)
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	c.judge(err, limit)
	return n, err
}

// Write implements [net.Conn].
func (c *patientConn) Write(b []byte) (int, error) {
	limit, err := c.arm(&c.write, c.Conn.SetWriteDeadline)
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	c.judge(err, limit)
	return n, err
}

// arm starts our patience anew and returns when it ends. The lock keeps us and the driver,
// whose deadline comes from another goroutine, from overruling each other.
func (c *patientConn) arm(d *deadlines, set func(time.Time) error) (limit time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spent {
		return limit, os.ErrDeadlineExceeded
	}
	d.ours = time.Time{}
	if c.patience != 0 {
		d.ours = time.Now().Add(c.patience)
	}
	return d.ours, set(d.first())
}

func (c *patientConn) judge(err error, limit time.Time) {
	if limit.IsZero() || !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().Before(limit) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent = true
}

// SetDeadline implements [net.Conn].
func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements [net.Conn].
func (c *patientConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read.theirs = t
	return c.Conn.SetReadDeadline(c.read.first())
}

// SetWriteDeadline implements [net.Conn].
func (c *patientConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write.theirs = t
	return c.Conn.SetWriteDeadline(c.write.first())
}
