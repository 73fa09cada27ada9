package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/signet-issuer/signet/server"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

const (
	usageInterval = time.Minute
	sweepInterval = time.Minute

	// Revocations outlive their tokens by far: a clock that steps forward and back must not
	// revive one.
	revocationsKept = 24 * time.Hour

	// What lives in memory is so little that at Go's own 100 the collector would run all the
	// time under load. It costs some 10 MiB then, and nothing while idle.
	gcPercent = 200
)

func newServeCommand(settings *settings) *cobra.Command {
	var dev bool
	flags := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until SIGTERM or an interrupt, then answers what is in flight and stops.
"signet config check --help" lists every variable.`,
		Example: `  signet serve --dev
  SIGNET_LISTEN=127.0.0.1:9090 signet serve
  signet serve --config /etc/signet.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{}
			for flag, value := range flags {
				if cmd.Flags().Changed(flag) {
					given[flag] = *value
				}
			}
			return serve(cmd, settings, dev, given)
		},
	}
	cmd.Flags().BoolVar(&dev, "dev", false, "try it: make an example organization and print commands to paste")
	for flag, usage := range map[string]string{
		"listen": "`address` to listen on", "issuer": "`URL` of this issuer", "data-dir": "`folder` of what is kept on this machine",
	} {
		flags[flag] = cmd.Flags().String(flag, "", usage)
	}
	return cmd
}

func serve(cmd *cobra.Command, settings *settings, dev bool, given map[string]string) error {
	ctx := cmd.Context()
	if !slices.ContainsFunc(settings.env.environ, func(v string) bool { return strings.HasPrefix(v, "GOGC=") }) {
		debug.SetGCPercent(gcPercent)
	}
	cfg, err := settings.load(given)
	if err != nil {
		return err
	}
	// Listening comes first: only then is a port that the system chose part of the issuer.
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return withHint(err, "choose another address with SIGNET_LISTEN or --listen")
	}
	defer func() { _ = socket.Close() }()
	if addr, ok := socket.Addr().(*net.TCPAddr); dev && (!ok || !addr.IP.IsLoopback()) {
		return withHint(errors.New("--dev prints secrets and is for this machine alone"), "listen on 127.0.0.1")
	}
	if dev && !cfg.DatabaseURL.IsZero() {
		return withHint(errors.New("--dev makes examples and is for the embedded mode"), "unset SIGNET_DATABASE_URL")
	}
	cfg.Issuer = cfg.IssuerAt(socket.Addr())
	st, err := settings.openStack(ctx, cfg, (*stack).openShared, (*stack).openServices)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // asked to stop before it was ready
	}
	if err != nil {
		return err
	}
	defer st.close()
	if dev {
		if err := seedDev(ctx, st, cmd.OutOrStdout()); err != nil {
			return fmt.Errorf("make the example organization: %w", err)
		}
	}
	done, err := st.accounts.Bootstrapped(ctx)
	if err != nil {
		return err
	}
	if !done && !dev {
		return withHint(errors.New("there is no administrator yet, so nobody could use this server"),
			"run signet bootstrap first, or signet serve --dev to try it")
	}
	return st.serve(ctx, socket)
}

// serve runs until ctx ends or something fails.
func (s *stack) serve(ctx context.Context, socket net.Listener) error {
	health := &server.Health{Check: s.db.Ping, State: s.report}
	metrics := s.metrics()
	handler, err := s.handler(health, metrics)
	if err != nil {
		return err
	}
	listeners := []listener{{web.NewServer(s.config.Listen, handler, s.log), socket, s.config.TLS()}}
	if s.config.MetricsListen != "" {
		elsewhere, err := new(net.ListenConfig).Listen(ctx, "tcp", s.config.MetricsListen)
		if err != nil {
			return withHint(err, "choose another address with SIGNET_METRICS_LISTEN")
		}
		listeners = append(listeners, listener{web.NewServer(s.config.MetricsListen, metrics.Handler(), s.log), elsewhere, false})
	}
	for _, note := range s.config.Notes() {
		s.log.Warn("configuration", slog.String("note", note.Error()))
	}
	s.log.Info("serving", slog.String("issuer", s.config.Issuer), slog.String("version", version), s.backing())
	return s.runAll(ctx, health, listeners)
}

// backing says where truth and state are kept.
func (s *stack) backing() slog.Attr {
	database, state := "sqlite", "embedded"
	if !s.config.DatabaseURL.IsZero() {
		database = "postgresql"
	}
	if s.report != nil {
		state = "redis"
	}
	return slog.Group("", slog.String("database", database), slog.String("state", state),
		slog.Int("database_connections", s.db.ReaderStats().MaxOpenConnections+s.db.WriterStats().MaxOpenConnections))
}

func (s *stack) metrics() *server.Metrics {
	metrics := server.NewMetrics(s.state.Dropped)
	metrics.WatchClock(time.Now)
	metrics.WatchPool("read", s.db.ReaderStats)
	metrics.WatchPool("write", s.db.WriterStats)
	if s.report != nil {
		metrics.WatchState(s.report)
	}
	return metrics
}

func (s *stack) handler(health *server.Health, metrics *server.Metrics) (http.Handler, error) {
	issuer, err := tokens.NewIssuer(tokens.IssuerConfig{
		Keys: s.keys, Passports: s.passports, Issuer: s.config.Issuer, Live: s.state, Usage: s.accounts,
		DefaultLifetime: s.config.TokenLifetime, MaxLifetime: s.config.TokenMaxLifetime,
		StrictScopes: s.config.StrictScopes, Now: time.Now, Random: rand.Reader,
	})
	if err != nil {
		return nil, err
	}
	return server.New(server.Deps{
		IssuerURL: s.config.Issuer, Accounts: s.accounts, Keys: s.keys, Passports: s.passports, Issuer: issuer, Limiter: s.state,
		Registry: tokens.NewRegistry(tokens.RegistryConfig{
			Issuer: s.config.Issuer, Store: s.tokenStore, Live: s.state, Accounts: s.accounts, MaxLifetime: s.config.TokenMaxLifetime,
			Now: time.Now, Random: rand.Reader,
		}),
		Dialects: s.dialects(), TrustedProxies: s.config.TrustedProxies, Health: health, Metrics: metrics,
		MetricsElsewhere: s.config.MetricsListen != "", Log: s.log, Now: time.Now, Random: rand.Reader,
	}), nil
}

func (s *stack) dialects() server.Dialects {
	on := func(name string) bool { return slices.Contains(s.config.Dialects, name) }
	return server.Dialects{Prisme: on("prisme"), Keycard: on("keycard"), Nscale: on("nscale"), Rezolve: on("rezolve")}
}

// listener is a server and where it listens.
type listener struct {
	server *http.Server
	socket net.Listener
	tls    bool
}

func (s *stack) runAll(ctx context.Context, health *server.Health, listeners []listener) error {
	group, running := errgroup.WithContext(ctx)
	for _, l := range listeners {
		drainer := newDrainer(l.server, s.log)
		group.Go(func() error { return s.run(l) })
		group.Go(func() error {
			<-running.Done()
			health.Drain()
			drainer.drain(ctx)
			return nil
		})
	}
	group.Go(func() error { s.keys.Run(running); return nil })
	group.Go(func() error { s.passports.Run(running); return nil })
	group.Go(func() error { s.accounts.RunUsage(running, usageInterval); return nil })
	group.Go(func() error { s.runSweeps(running); return nil })
	err := group.Wait()
	s.log.Info("stopped")
	return err
}

func (s *stack) run(l listener) error {
	var err error
	if l.tls {
		err = l.server.ServeTLS(l.socket, s.config.TLSCertFile, s.config.TLSKeyFile)
	} else {
		err = l.server.Serve(l.socket)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// runSweeps removes what has expired, so that no table grows without bound.
func (s *stack) runSweeps(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("expired rows are not removed yet", slog.Any("error", err))
		}
	}
}

func (s *stack) sweep(ctx context.Context) error {
	_, accountsErr := s.accounts.Sweep(ctx)
	_, tokensErr := s.tokenStore.Sweep(ctx, time.Now().Add(-revocationsKept))
	_, stateErr := s.state.Sweep(ctx)
	return errors.Join(accountsErr, tokensErr, stateErr)
}
