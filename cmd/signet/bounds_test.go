package main

import (
	"testing"
	"time"

	"github.com/signet-issuer/signet/config"
	"github.com/signet-issuer/signet/tokens"
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
