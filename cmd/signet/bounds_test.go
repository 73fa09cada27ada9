package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/signet-issuer/signet/config"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// What the configuration accepts, the server must be able to run with, at every bound.
func TestConfigurationAcceptsWhatTheServerAccepts(t *testing.T) {
	longest, year := time.Hour, 8760*time.Hour
	for _, maxAge := range []time.Duration{time.Second, 5 * time.Minute, 24 * time.Hour} {
		ripe := maxAge + tokens.Poll + tokens.Skew
		for _, lifetime := range []time.Duration{time.Second, longest} {
			for _, rotation := range []time.Duration{
				ripe - time.Second, ripe, ripe + time.Second, lifetime + tokens.Skew - time.Second, lifetime + tokens.Skew,
				year - time.Second, year, year + time.Second, 366 * 24 * time.Hour,
			} {
				cfg, err := config.Load(config.Sources{Environ: []string{
					"SIGNET_JWKS_MAX_AGE=" + maxAge.String(), "SIGNET_KEY_ROTATION=" + rotation.String(),
					"SIGNET_TOKEN_MAX_LIFETIME=" + lifetime.String(),
				}})
				if err != nil {
					continue
				}
				schedule := tokens.Schedule{JWKSMaxAge: cfg.JWKSMaxAge, Rotation: cfg.KeyRotation, MaxLifetime: cfg.TokenMaxLifetime}
				if err := tokens.CheckSchedule(schedule); err != nil {
					t.Errorf("config accepts %+v, the server answers: %v", schedule, err)
				}
				if err := tokens.CheckLifetimes(cfg.TokenLifetime, cfg.TokenMaxLifetime); err != nil {
					t.Errorf("config accepts lifetimes %v, %v, the server answers: %v", cfg.TokenLifetime, cfg.TokenMaxLifetime, err)
				}
			}
		}
	}
	for _, alg := range tokens.Algorithms() {
		if _, err := config.Load(config.Sources{Environ: []string{"SIGNET_SIGNING_ALG=" + alg}}); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// What the configuration accepts as the URL of a Redis, the state must be able to use, and what
// the state would refuse at the start the configuration names among all other problems.
func TestConfigurationReadsRedisURLsAsTheStateDoes(t *testing.T) {
	for url, want := range map[string]bool{
		"redis://127.0.0.1:1": true, "redis://127.0.0.1": true, "redis://:p@127.0.0.1:1/3": true, "redis://u:p%2F@127.0.0.1:1/": true,
		"rediss://127.0.0.1:1": true, "redis://[::1]:1": true, "redis+sentinel://u:p@127.0.0.1:1,127.0.0.1:2/m/0": true,
		"redis+sentinel://127.0.0.1:1/m?sentinel_username=u&sentinel_password=p": true, "rediss+cluster://127.0.0.1:1,127.0.0.1:2": true,
		"redis://u@127.0.0.1:1": false, "redis://127.0.0.1:1,127.0.0.1:2": false, "redis://127.0.0.1:0": false, "redis://127.0.0.1:": false,
		"redis://127.0.0.1:1/x": false, "redis+cluster://127.0.0.1:1/1": false, "redis+sentinel://127.0.0.1:1": false,
		"redis://127.0.0.1:1?ca_file=x": false, "rediss://127.0.0.1:1?cert_file=x": false, "redis://127.0.0.1:1?db=1": false,
		"redis+sentinel://127.0.0.1:1/m?sentinel_username=u": false, "redis://": false, "unix:///run/redis.sock": false,
		"redis://127.0.0.1:1#x": false, "redis://u:p%@127.0.0.1:1": false, "redis://a]:1": false, "redis+ring://127.0.0.1:1": false,
		"REDIS://127.0.0.1:1": false,
	} {
		_, err := config.Load(config.Sources{Environ: []string{"SIGNET_REDIS_URL=" + url}})
		if (err == nil) != want {
			t.Errorf("config, %s: %v", url, err)
		}
		state, err := redisstate.Open(t.Context(), redisstate.Config{
			URL: secret.New(url), Prefix: "signet", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if (err == nil) != want {
			t.Errorf("state, %s: %v", url, err)
		}
		if err == nil {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			_ = state.Close(ctx) // nobody answers
			cancel()
		}
	}
}
