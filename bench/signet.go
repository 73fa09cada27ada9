package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/signet-issuer/signet/client"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
)

// orgs shares the load out, so that no org reaches the rate that one may have.
const orgs = 4

// build makes the binary as it is released.
func build(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "./cmd/signet")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build signet: %w\n%s", err, output)
	}
	return nil
}

// startEmbedded starts a server on its own files.
func startEmbedded(ctx context.Context, binary, folder string) (*contender, error) {
	return startSignet(ctx, "embedded", embeddedTarget, binary, "SIGNET_DATA_DIR="+filepath.Join(folder, "data"))
}

// startProduction starts a server on a PostgreSQL and a Redis of its own.
func startProduction(ctx context.Context, binary, folder string) (*contender, error) {
	_, key, err := secret.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	postgres, err := engines.StartPostgres(ctx, filepath.Join(folder, "postgres"))
	if err != nil {
		return nil, err
	}
	redis, err := engines.StartRedis(ctx, filepath.Join(folder, "redis"))
	if err != nil {
		return nil, errors.Join(err, postgres.Close())
	}
	err = postgres.CreateDatabase(ctx, "signet")
	var server *contender
	if err == nil {
		server, err = startSignet(ctx, "production", productionTarget, binary, "SIGNET_DATABASE_URL="+postgres.URL("signet"),
			"SIGNET_REDIS_URL=redis://"+redis.Addr()+"/0", "SIGNET_MASTER_KEY="+key.Reveal())
	}
	if err != nil {
		return nil, errors.Join(err, redis.Close(), postgres.Close())
	}
	server.engines = append(server.engines, redis, postgres)
	return server, nil
}

// startSignet starts a server with accounts, and makes requests for their tokens.
func startSignet(ctx context.Context, name string, target float64, binary string, settings ...string) (*contender, error) {
	environ := append([]string{"SIGNET_LISTEN=127.0.0.1:0", "SIGNET_LOG_FORMAT=json"}, settings...)
	bootstrap := exec.CommandContext(ctx, binary, "bootstrap")
	bootstrap.Env = environ
	printed, err := bootstrap.Output()
	if err != nil {
		return nil, fmt.Errorf("signet bootstrap: %w", err)
	}
	var admin struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	if err := json.Unmarshal(printed, &admin); err != nil {
		return nil, fmt.Errorf("signet bootstrap: %w", err)
	}
	p := &process{name: name, binary: binary, cmd: exec.CommandContext(ctx, binary, "serve")}
	p.cmd.Env = environ
	if err := p.serve(ctx); err != nil {
		return nil, err
	}
	requests, err := makeAccounts(ctx, client.New(ctx, p.url, admin.ClientID, admin.ClientSecret))
	if err != nil {
		p.stop()
		return nil, err
	}
	return &contender{process: p, target: target, requests: requests}, nil
}

// serve starts the process and waits until it is ready.
func (p *process) serve(ctx context.Context) error {
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	log := bufio.NewReader(stderr)
	for p.url == "" {
		line, err := log.ReadBytes('\n')
		if err != nil {
			p.stop()
			return errors.New("signet serve ended before it was ready")
		}
		var event struct{ Msg, Issuer string }
		if json.Unmarshal(line, &event) == nil && event.Msg == "serving" {
			p.url = event.Issuer
		}
	}
	go func() { _, _ = io.Copy(io.Discard, log) }() // until the process ends
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.stop()
		return err
	}
	p.readyAfter = time.Since(began)
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		p.stop()
		return fmt.Errorf("readyz answers %d", answer.StatusCode)
	}
	return nil
}

// makeAccounts makes an account in each org and returns a request for each.
func makeAccounts(ctx context.Context, api *client.Client) ([]string, error) {
	var requests []string
	for i := range orgs {
		org := fmt.Sprintf("org-%d", i)
		if _, err := api.CreateOrg(ctx, client.NewOrg{Slug: org, Name: org}); err != nil {
			return nil, err
		}
		made, err := api.CreateServiceAccount(ctx, org, client.NewServiceAccount{Slug: "machine", Name: "Machine", RoleSlug: "agent-standard"})
		if err != nil {
			return nil, err
		}
		requests = append(requests, tokenRequest(made.ClientID, made.ClientSecret))
	}
	return requests, nil
}
