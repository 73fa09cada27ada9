package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/signet-issuer/signet/internal/engines"
)

const (
	database = "signet"
	// The product's role owns its database and is no superuser, so that rights can be taken from it.
	databaseRole     = "signet_rig"
	databasePassword = "rig"
)

func (f *fleet) startSQL(ctx context.Context) error {
	if f.cfg.engine == "sqlite" {
		return nil
	}
	server, err := engines.StartPostgres(ctx, filepath.Join(f.cfg.folder, "postgres"), "max_connections=120")
	if err != nil {
		return err
	}
	f.postgres = server
	if err := server.CreateDatabase(ctx, database); err != nil {
		return err
	}
	statement := fmt.Sprintf("CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s'; ALTER DATABASE %[3]s OWNER TO %[1]s; GRANT ALL ON SCHEMA public TO %[1]s",
		databaseRole, databasePassword, database)
	if err := server.Exec(ctx, database, statement); err != nil {
		return err
	}
	u, err := url.Parse(server.URL(database))
	if err != nil {
		return err
	}
	u.User = url.UserPassword(databaseRole, databasePassword)
	f.sqlURL = u.String()
	f.sqlLinks, err = f.link("postgres", server.Addr())
	return err
}

func (f *fleet) startState(ctx context.Context) error {
	folder := filepath.Join(f.cfg.folder, "redis")
	var err error
	switch f.cfg.state {
	case "local":
	case "redis":
		if f.redis, err = engines.StartRedis(ctx, folder); err != nil {
			return err
		}
		f.cacheURL = "redis://" + f.redis.Addr() + "/0"
		f.cacheLinks, err = f.link("redis", f.redis.Addr())
	case "sentinel":
		if f.sentinel, err = engines.StartSentinel(ctx, folder); err != nil {
			return err
		}
		f.cacheURL = "redis+sentinel://" + strings.Join(f.sentinel.Addrs(), ",") + "/signet/0"
	case "cluster":
		if f.cluster, err = engines.StartCluster(ctx, folder); err != nil {
			return err
		}
		f.cacheURL = "redis+cluster://" + strings.Join(f.cluster.Addrs(), ",")
	default:
		return fmt.Errorf("there is no state %q", f.cfg.state)
	}
	return err
}

// link starts one proxy a replica.
func (f *fleet) link(name, upstream string) ([]*proxy, error) {
	var made []*proxy
	for i := range f.cfg.replicas {
		p, err := startProxy(fmt.Sprintf("%s-%d", name, i), upstream)
		if err != nil {
			return made, err
		}
		made = append(made, p)
	}
	return made, nil
}

// engineEnv tells a replica where its engines are.
func (f *fleet) engineEnv(i int) ([]string, error) {
	var env []string
	if f.sqlURL != "" {
		through, err := f.sqlLinks[i].through(f.sqlURL)
		if err != nil {
			return nil, err
		}
		env = append(env, "SIGNET_DATABASE_URL="+through)
	}
	if f.cacheURL != "" {
		through := f.cacheURL
		if f.redis != nil {
			var err error
			if through, err = f.cacheLinks[i].through(f.cacheURL); err != nil {
				return nil, err
			}
		}
		env = append(env, "SIGNET_REDIS_URL="+through)
	}
	return env, nil
}

func (f *fleet) closeEngines() error {
	var errs []error
	if f.sentinel != nil {
		errs = append(errs, f.sentinel.Close())
	}
	if f.cluster != nil {
		errs = append(errs, f.cluster.Close())
	}
	if f.redis != nil {
		errs = append(errs, f.redis.Close())
	}
	if f.postgres != nil {
		errs = append(errs, f.postgres.Close())
	}
	return errors.Join(errs...)
}
