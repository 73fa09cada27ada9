package engines

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// MasterName is what Sentinels call the master that they watch.
const MasterName = "signet"

const sentinels = 3

// Sentinel is a master and its replica under the eyes of three Sentinels, which take a
// master for lost after one second.
type Sentinel struct {
	Nodes     []*Redis // the first is the master at the start
	Sentinels []*Redis
	group
}

// StartSentinel starts them in folders beneath the given one, a new one when it is empty, and
// returns when every Sentinel knows the others and the replica.
func StartSentinel(ctx context.Context, folder string) (*Sentinel, error) {
	path, own, err := home(folder)
	if err != nil {
		return nil, err
	}
	s := &Sentinel{group: group{folder: path, own: own}}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends all servers.
func (s *Sentinel) Close() error { return s.group.close() }

func (s *Sentinel) start(ctx context.Context) error {
	master, err := s.node(ctx, nil)
	if err != nil {
		return err
	}
	replica, err := s.node(ctx, []string{fmt.Sprintf("replicaof 127.0.0.1 %d", master.port)})
	if err != nil {
		return err
	}
	if err := until(ctx, func(ctx context.Context) (bool, error) {
		state, err := replica.Do(ctx, "INFO", "replication")
		return strings.Contains(state, "master_link_status:up"), err
	}); err != nil {
		return fmt.Errorf("the replica does not follow: %w", err)
	}
	for range sentinels {
		if err := s.sentinel(ctx, master.port); err != nil {
			return err
		}
	}
	for _, one := range s.Sentinels {
		if err := until(ctx, one.knowsAll); err != nil {
			return fmt.Errorf("the Sentinels do not find each other: %w", err)
		}
	}
	return nil
}

func (s *Sentinel) node(ctx context.Context, conf []string) (*Redis, error) {
	folder := filepath.Join(s.folder, fmt.Sprintf("node%d", len(s.Nodes)))
	node, err := startRedis(ctx, folder, conf, "--repl-diskless-sync-delay", "0")
	if err != nil {
		return nil, err
	}
	s.Nodes, s.members = append(s.Nodes, node), append(s.members, node)
	return node, nil
}

func (s *Sentinel) sentinel(ctx context.Context, master int) error {
	folder := filepath.Join(s.folder, fmt.Sprintf("sentinel%d", len(s.Sentinels)))
	one, err := startSentinel(ctx, folder, []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", MasterName, master, sentinels/2+1),
		"sentinel down-after-milliseconds " + MasterName + " 1000",
		"sentinel failover-timeout " + MasterName + " 5000",
	})
	if err != nil {
		return err
	}
	s.Sentinels, s.members = append(s.Sentinels, one), append(s.members, one)
	// As it comes, a Sentinel makes itself known every other second, and looks at roles each ten.
	_, err = one.Do(ctx, "SENTINEL", "DEBUG", "PUBLISH-PERIOD", "100", "INFO-PERIOD", "500")
	return err
}

func (r *Redis) knowsAll(ctx context.Context) (bool, error) {
	text, err := r.Do(ctx, "SENTINEL", "MASTER", MasterName)
	if err != nil {
		return false, err
	}
	fields := strings.Split(text, "\n")
	value := func(name string) string {
		for i := 0; i+1 < len(fields); i += 2 {
			if fields[i] == name {
				return fields[i+1]
			}
		}
		return ""
	}
	return value("flags") == "master" && value("num-slaves") == "1" &&
		value("num-other-sentinels") == strconv.Itoa(sentinels-1), nil
}

// Master asks the Sentinels, and returns the node that most of them take for the master.
func (s *Sentinel) Master(ctx context.Context) (*Redis, error) {
	votes := make(map[string]int)
	var failed []error
	for _, one := range s.Sentinels {
		answer, err := one.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
		failed = append(failed, err)
		if host, port, ok := strings.Cut(answer, "\n"); ok {
			votes[net.JoinHostPort(host, port)]++
		}
	}
	at := slices.IndexFunc(s.Nodes, func(node *Redis) bool { return votes[node.Addr()] > sentinels/2 })
	if at < 0 {
		return nil, errors.Join(append(failed, errors.New("the Sentinels do not agree on a master"))...)
	}
	return s.Nodes[at], nil
}

// Addrs are the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

// group is several servers that end together.
type group struct {
	folder  string
	own     bool
	members []*Redis
}

// close ends the last first, so that nobody waits for, or replaces, one that has ended.
func (g *group) close() error {
	var failed []error
	for _, member := range slices.Backward(g.members) {
		failed = append(failed, member.Close())
	}
	if g.own {
		failed = append(failed, os.RemoveAll(g.folder))
	}
	return errors.Join(failed...)
}

func addrs(servers []*Redis) []string {
	var found []string
	for _, server := range servers {
		found = append(found, server.Addr())
	}
	return found
}

// until asks again and again, as long as ctx allows.
func until(ctx context.Context, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		one, cancel := context.WithTimeout(ctx, answerLimit)
		done, err := ask(one)
		cancel()
		if done && err == nil {
			return nil
		}
		if ended := pause(ctx); ended != nil {
			return errors.Join(ended, err)
		}
	}
}
