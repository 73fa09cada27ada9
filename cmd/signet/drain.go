package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Together they stay under the five seconds that a stop may take.
const (
	leaveTime    = 300 * time.Millisecond // in which clients hear that the server goes
	drainTimeout = 3 * time.Second
	closeTimeout = 1500 * time.Millisecond // in which what waits is written and all is closed
	flushTimeout = time.Second             // of that, for the writing
)

// drainer stops a server in order.
type drainer struct {
	server *http.Server
	log    *slog.Logger

	mu      sync.Mutex
	unasked map[net.Conn]struct{} // connections without a request so far
}

func newDrainer(server *http.Server, log *slog.Logger) *drainer {
	d := &drainer{server: server, log: log, unasked: map[net.Conn]struct{}{}}
	server.ConnState = d.track
	server.RegisterOnShutdown(d.closeUnasked)
	return d
}

func (d *drainer) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.unasked[conn] = struct{}{}
	case http.StateActive, http.StateClosed, http.StateHijacked:
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.unasked, conn)
	}
}

// closeUnasked closes what [http.Server.Shutdown] would wait five seconds for, although it
// answers no request that still comes.
func (d *drainer) closeUnasked() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.unasked {
		_ = conn.Close()
	}
}

// drain answers what is in flight and closes the server. A client that takes too long is
// cut off, which is no failure of the server.
func (d *drainer) drain(ctx context.Context) {
	time.Sleep(leaveTime)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn("connections are cut", slog.Any("error", err))
		_ = d.server.Close() // nothing is left to do about it
	}
}
