package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

const (
	// linkCut is how long the replica misses everything before the master dies. Stopping the
	// replica instead would lose nothing: what the kernel holds for it arrives later.
	linkCut = 500 * time.Millisecond
	// failoverWithin is far more than Sentinels need.
	failoverWithin = 30 * time.Second
)

// failedOver cuts the link between master and replica and then kills the master, so that
// the replica that is promoted lacks what was written in between.
func failedOver(ctx context.Context, st *stage) (undo, error) {
	master, err := st.sentinel.Master(ctx)
	if err != nil {
		return nothing, err
	}
	at := slices.IndexFunc(st.sentinel.Nodes, func(node *engines.Redis) bool { return node != master })
	replica := st.sentinel.Nodes[at]
	link, err := startProxy("replication", master.Addr())
	if err != nil {
		return nothing, err
	}
	if err := follow(ctx, replica, link.addr()); err != nil {
		link.cut()
		return nothing, err
	}
	link.cut()
	sleep(ctx, linkCut)
	end := func(ctx context.Context) error {
		return errors.Join(st.awaitMaster(ctx, replica), master.Restart(ctx))
	}
	return end, master.Kill()
}

// follow makes a replica follow through a link that can be cut. Sentinels leave it so for
// their failover-timeout, which is longer than the row needs.
func follow(ctx context.Context, replica *engines.Redis, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if _, err := replica.Do(ctx, "REPLICAOF", host, port); err != nil {
		return err
	}
	return within(ctx, failoverWithin, "the replica does not follow", func(ctx context.Context) bool {
		state, err := replica.Do(ctx, "INFO", "replication")
		return err == nil && strings.Contains(state, "master_link_status:up") && strings.Contains(state, "master_port:"+port)
	})
}

func (st *stage) awaitMaster(ctx context.Context, node *engines.Redis) error {
	return within(ctx, failoverWithin, "the Sentinels promote no replica", func(ctx context.Context) bool {
		now, err := st.sentinel.Master(ctx)
		return err == nil && now == node
	})
}

func clusterMasterDown(_ context.Context, st *stage) (undo, error) {
	node := st.cluster.Nodes[1]
	return func(ctx context.Context) error {
		if err := node.Restart(ctx); err != nil {
			return err
		}
		return within(ctx, failoverWithin, "the cluster does not form again", func(ctx context.Context) bool {
			return !slices.ContainsFunc(st.cluster.Nodes, func(node *engines.Redis) bool {
				state, err := node.Do(ctx, "CLUSTER", "INFO")
				return err != nil || !strings.Contains(state, "cluster_state:ok")
			})
		})
	}, node.Kill()
}

// within waits until something is so.
func within(ctx context.Context, limit time.Duration, otherwise string, so func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !so(ctx) {
		if sleep(ctx, 2*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("%s: %w", otherwise, ctx.Err())
		}
	}
	return nil
}
