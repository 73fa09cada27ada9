package engines

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	masters = 3
	slots   = 16384
)

// Cluster is three masters that share the slots evenly, without replicas. A master counts as
// lost after one second, and then the whole cluster refuses.
type Cluster struct {
	Nodes []*Redis
	group
}

// StartCluster starts them in folders beneath the given one, a new one when it is empty, and
// returns when every node serves.
func StartCluster(ctx context.Context, folder string) (*Cluster, error) {
	path, own, err := home(folder)
	if err != nil {
		return nil, err
	}
	c := &Cluster{group: group{folder: path, own: own}}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends all nodes.
func (c *Cluster) Close() error { return c.group.close() }

// Addrs are the addresses of the nodes.
func (c *Cluster) Addrs() []string { return addrs(c.Nodes) }

func (c *Cluster) start(ctx context.Context) error {
	for i := range masters {
		node, err := StartRedis(ctx, filepath.Join(c.folder, fmt.Sprintf("node%d", i)),
			"--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
		if err != nil {
			return err
		}
		c.Nodes, c.members = append(c.Nodes, node), append(c.members, node)
	}
	for i, node := range c.Nodes {
		if err := node.join(ctx, i, c.Nodes[0].port); err != nil {
			return err
		}
	}
	for _, node := range c.Nodes {
		if err := until(ctx, node.inCluster); err != nil {
			return fmt.Errorf("the cluster does not form: %w", err)
		}
	}
	return nil
}

// join gives a node its share of the slots and makes it known to the first.
func (r *Redis) join(ctx context.Context, number, first int) error {
	from, to := number*slots/masters, (number+1)*slots/masters-1
	for _, args := range [][]string{
		{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)},
		{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(number + 1)},
		{"CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first)},
	} {
		if _, err := r.Do(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Redis) inCluster(ctx context.Context) (bool, error) {
	state, err := r.Do(ctx, "CLUSTER", "INFO")
	return strings.Contains(state, "cluster_state:ok") &&
		strings.Contains(state, "cluster_known_nodes:"+strconv.Itoa(masters)), err
}
