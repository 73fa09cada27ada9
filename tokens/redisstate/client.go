package redisstate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// poolSize leaves room for many administrators: the writer needs one connection.
	poolSize = 16
	// maxRedirects lets a cluster move a slot under a batch.
	maxRedirects = 2
	idleTime     = 5 * time.Minute
)

// silence keeps the library from writing lines of its own: what matters is reported.
var silence = sync.OnceFunc(logging.Disable)

// newClient connects to nothing yet. Each command is bounded by its context, and by timeout.
func newClient(loc location, timeout time.Duration) (redis.UniversalClient, error) {
	silence()
	config, err := loc.tlsConfig()
	if err != nil {
		return nil, err
	}
	options := &redis.UniversalOptions{
		Addrs: loc.addrs, DB: loc.database, MasterName: loc.master,
		Username: loc.username, Password: loc.password,
		SentinelUsername: loc.query[sentinelUsername], SentinelPassword: loc.query[sentinelPassword],
		Dialer:   dialer(config),
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DialTimeout:              timeout, ReadTimeout: timeout, WriteTimeout: timeout,
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1, MaxRedirects: maxRedirects,
		PoolSize: poolSize, PipelinePoolSize: -1, PoolTimeout: timeout, ConnMaxIdleTime: idleTime,
	}
	switch loc.shape {
	case sentinel:
		return redis.NewFailoverClient(options.Failover()), nil
	case cluster:
		clusterOptions := options.Cluster()
		// It would ask each server for its commands, which takes a right more.
		clusterOptions.DisableRoutingPolicies = true
		return redis.NewClusterClient(clusterOptions), nil
	default:
		return redis.NewClient(options.Simple()), nil
	}
}

// tlsConfig is nil without TLS. The name of a server's certificate is its host in the URL,
// or what Sentinel or the Cluster calls it.
func (l *location) tlsConfig() (*tls.Config, error) {
	if !l.tls {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	var problems []error
	if path := l.query[caFile]; path != "" {
		pem, err := os.ReadFile(path)
		config.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("ca_file: %w", err))
		case !config.RootCAs.AppendCertsFromPEM(pem):
			problems = append(problems, errors.New("ca_file: there is no certificate in PEM form"))
		}
	}
	if cert, key := l.query[certFile], l.query[keyFile]; cert != "" {
		// Each connection reads the files again, so that a renewed certificate needs no restart.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		}
		if _, err := config.GetClientCertificate(nil); err != nil {
			problems = append(problems, fmt.Errorf("cert_file, key_file: %w", err))
		}
	}
	return config, errors.Join(problems...)
}

// eachMaster calls fn for every server that takes writes, in a cluster several at a time.
func (s *State) eachMaster(ctx context.Context, fn func(context.Context, *redis.Client) error) error {
	switch client := s.client.(type) {
	case *redis.ClusterClient:
		return client.ForEachMaster(ctx, fn)
	case *redis.Client:
		return fn(ctx, client)
	}
	return errors.New("unknown kind of client")
}
