package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/signet-issuer/signet/config"
)

// healthTimeout is longer than a server may take to find out that it cannot serve.
const healthTimeout = 2 * time.Second

func newHealthcheckCommand(settings *settings) *cobra.Command {
	var live bool
	var listen string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the server on this machine whether it can serve",
		Long: `Asks /readyz of the server that runs with the same configuration on this machine, and
exits 0 if it is ready and 1 if not. With --live it asks /livez instead, which depends on
nothing: use that where a failure restarts the server.`,
		Example: `  signet healthcheck
  signet healthcheck --live
  SIGNET_LISTEN=127.0.0.1:9090 signet healthcheck`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{}
			if cmd.Flags().Changed("listen") {
				given["listen"] = listen
			}
			cfg, err := settings.load(given)
			if err != nil {
				return err
			}
			path := "/readyz"
			if live {
				path = "/livez"
			}
			return askHealth(cmd.Context(), cfg, path)
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask whether the process lives, whatever it depends on")
	cmd.Flags().StringVar(&listen, "listen", "", "`address` that the server was given by its own --listen")
	return cmd
}

// askHealth asks the server that cfg describes. An address that stands for all of this
// machine's is dialed as this machine.
func askHealth(ctx context.Context, cfg config.Config, path string) error {
	if strings.HasSuffix(cfg.Listen, ":0") {
		return withHint(errors.New("the server's port was left to the system"), "name it with --listen")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	scheme := "http://"
	if cfg.TLS() {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"localhost"+path, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, cfg.Listen)
		},
		// The certificate is for the name that clients use. Nothing secret is sent, and
		// whoever could pretend to be this server listens in its place already.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return withHint(fmt.Errorf("%s does not answer: %w", path, err), "is the server running, with the same SIGNET_LISTEN?")
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}
