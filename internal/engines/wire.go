package engines

import (
	"context"
	"fmt"
	"net"
	"time"
)

// exchange holds one short conversation with a server, as long as ctx allows.
func exchange(ctx context.Context, addr string, talk func(net.Conn) error) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := talk(conn); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s does not answer: %w", addr, ctx.Err())
		}
		return err
	}
	return nil
}
