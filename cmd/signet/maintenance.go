package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/signet-issuer/signet/accounts"
	accountsql "github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	tokensql "github.com/signet-issuer/signet/tokens/sqlstore"
)

// rotateMaster seals everything under a new master key: one that it makes in the data
// directory, or the one in newKeyFile when the key is configured from elsewhere.
func (s *stack) rotateMaster(ctx context.Context, newKeyFile string) error {
	own := s.config.MasterKey.IsZero()
	if own != (newKeyFile == "") {
		return withHint(errors.New("--new-key-file does not fit where the master key is kept"),
			"give it exactly when SIGNET_MASTER_KEY_FILE or SIGNET_MASTER_KEY is set")
	}
	if !own {
		next, err := readMasterKey(newKeyFile)
		if err != nil {
			return err
		}
		if err := s.demandBothKeys(next); err != nil {
			return err
		}
		return s.reseal(ctx, next)
	}
	next, err := s.dir.StageKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := s.reseal(ctx, next); err != nil {
		// Not discarded here: a commit that reports an error may have happened. The next start finds out.
		return err
	}
	return s.dir.PromoteKey()
}

// demandBothKeys refuses a key that servers beside this command could not open yet. They have
// the configuration that this command has, so that is where it must be first.
func (s *stack) demandBothKeys(next secret.Key) error {
	if s.config.DatabaseURL.IsZero() {
		return nil // no server runs: the data directory is locked
	}
	const label, text = "probe", "probe"
	sealed, err := next.Seal(rand.Reader, label, []byte(text))
	if err != nil {
		return err
	}
	if _, err := s.master.Open(label, sealed); err != nil {
		return withHint(errors.New("the configured master key does not have the new key beside the old one, so running servers could not open what it seals"),
			"add the new key as a second line to the configured master key of every server and of this command, restart them, and run this again")
	}
	return nil
}

// reseal opens every sealed value with the current key and seals it with the next, in one
// transaction. Nothing else changes.
func (s *stack) reseal(ctx context.Context, next secret.Key) error {
	again := func(label string, sealed []byte) ([]byte, error) {
		plain, err := s.master.Open(label, sealed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", label, err)
		}
		defer clear(plain)
		return next.Seal(rand.Reader, label, plain)
	}
	return s.operate(ctx, audit.MasterKeyRotated, func(tx *sqldb.Tx) error {
		if err := accountsql.Reseal(ctx, tx, accounts.PepperLabel, again); err != nil {
			return err
		}
		return tokensql.Reseal(ctx, tx, again)
	})
}

// jump is more than any counter can have grown since a backup was made.
const jump = 1 << 32

// endAllTokens raises every generation beyond what any token carries, and the version of the
// key set beyond what any server has seen, or one that still runs would keep its keys.
func (s *stack) endAllTokens(ctx context.Context) error {
	return s.operate(ctx, audit.InstallationRestored, func(tx *sqldb.Tx) error {
		if err := accountsql.RaiseAllGens(ctx, tx, jump); err != nil {
			return err
		}
		return tokensql.RaiseVersion(ctx, tx, jump)
	})
}

// operate runs one write of the operator's own, with its audit event.
func (s *stack) operate(ctx context.Context, event string, fn func(*sqldb.Tx) error) error {
	system := audit.Org{ID: accounts.SystemOrgID, Slug: accounts.SystemOrg}
	done, err := audit.New(rand.Reader, time.Now(), event, system, "installation")
	if err != nil {
		return err
	}
	done.Actor = "signet:operator"
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return audit.Append(ctx, tx, done)
	})
}

func readMasterKey(path string) (secret.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return secret.Key{}, fmt.Errorf("read the master key: %w", err)
	}
	key, err := secret.ParseKey(string(text))
	if err != nil {
		return secret.Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}
