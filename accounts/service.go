package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// Config is what a [Service] works with. Every field is required.
type Config struct {
	Store   Store
	Usage   Usage
	Peppers *Peppers
	Issuer  string // URL, without a final slash
	Now     func() time.Time
	Random  io.Reader
	Log     *slog.Logger
}

// Service holds every rule about organizations and accounts. It is safe for concurrent use.
//
// Its methods answer, besides the errors of this package, a [*authz.DeniedError] to a caller
// that may know of the object but not do this, and a [*NotFoundError] to one that may not know of it.
type Service struct {
	store   Store
	usage   Usage
	peppers *Peppers
	issuer  string
	now     func() time.Time
	random  io.Reader
	log     *slog.Logger
	pending *pendingUses
}

// NewService returns a Service on its parts.
func NewService(cfg Config) *Service {
	return &Service{
		store: cfg.Store, usage: cfg.Usage, peppers: cfg.Peppers, issuer: cfg.Issuer,
		now:    func() time.Time { return cfg.Now().UTC().Truncate(time.Microsecond) },
		random: cfg.Random, log: cfg.Log, pending: newPendingUses(),
	}
}

// Optional is a field of a patch: absent unless Present. A zero Value clears the field.
type Optional[T any] struct {
	Value   T
	Present bool
}

// Some is a present field.
func Some[T any](value T) Optional[T] { return Optional[T]{Value: value, Present: true} }

func (o Optional[T]) apply(field *T) {
	if o.Present {
		*field = o.Value
	}
}

// change is one administrative write in progress.
type change struct {
	Tx
	judge
	s   *Service
	now time.Time
}

// write runs fn as one administrative write. fn returns what the write made or changed, which
// becomes its audit event and, under an idempotency key, its receipt.
func (s *Service) write(ctx context.Context, by authz.Principal, once Once, fn func(*change) (outcome, error)) error {
	return s.store.Write(ctx, by, func(tx Tx) error {
		c := &change{Tx: tx, judge: judge{Reader: tx, by: by}, s: s, now: s.now()}
		if err := c.callerStands(ctx); err != nil {
			return err
		}
		if err := c.refuseRepetition(ctx, once); err != nil {
			return err
		}
		done, err := fn(c)
		if err != nil {
			return err
		}
		return c.leaveEvidence(ctx, once, done)
	})
}

// outcome describes a finished write.
type outcome struct {
	event  string // type of the audit event
	org    Org
	target string    // of the audit event
	id     uuid.UUID // of the object that an idempotency key brings back
}

func (c *change) refuseRepetition(ctx context.Context, once Once) error {
	if once.Key == "" {
		return nil
	}
	receipt, err := c.Receipt(ctx, c.by.AccountID, once.Key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return once.Judge(receipt, c.now)
}

func (c *change) leaveEvidence(ctx context.Context, once Once, done outcome) error {
	event, err := audit.New(c.s.random, c.now, done.event, audit.Org{ID: done.org.ID, Slug: done.org.Slug}, done.target)
	if err != nil {
		return err
	}
	err = c.Record(ctx, event)
	if err != nil || once.Key == "" {
		return err
	}
	return c.KeepReceipt(ctx, audit.Receipt{
		Actor: c.by.AccountID, Key: once.Key, Fingerprint: once.Fingerprint,
		OrgID: done.org.ID, Target: done.id.String(), Time: c.now,
	})
}

// created stamps a new object.
func (c *change) created() Stamp {
	return Stamp{CreatedAt: c.now, CreatedBy: c.by.Subject, UpdatedAt: c.now, UpdatedBy: c.by.Subject}
}

// touch stamps a changed object.
func (c *change) touch(s *Stamp) { s.UpdatedAt, s.UpdatedBy = c.now, c.by.Subject }

// expect returns [ErrStale] when the caller named a version and it is not the current one.
func expect(named *int64, current int64) error {
	if named != nil && *named != current {
		return ErrStale
	}
	return nil
}

// reach finds an org that the caller may know of and holds the permission in.
func reach(ctx context.Context, r Reader, by authz.Principal, ref Ref, permission authz.Pattern) (Org, error) {
	org, err := r.Org(ctx, ref)
	if err != nil {
		return Org{}, err
	}
	if !by.Reaches(org.ID) {
		return Org{}, &NotFoundError{What: WhatOrg}
	}
	return org, by.Demand(permission)
}

// reachAccount is reach, and then an account in that org.
func reachAccount(ctx context.Context, r Reader, by authz.Principal, at AccountRef, permission authz.Pattern) (Org, ServiceAccount, error) {
	org, err := reach(ctx, r, by, at.Org, permission)
	if err != nil {
		return Org{}, ServiceAccount{}, err
	}
	account, err := r.Account(ctx, org.ID, at.Account)
	return org, account, err
}

// AccountRef names an account within an org.
type AccountRef struct{ Org, Account Ref }

func (s *Service) newID() (uuid.UUID, error) {
	id, err := uuid.NewV7FromReader(s.random)
	if err != nil {
		return uuid.UUID{}, fmt.Errorf("make an id: %w", err)
	}
	return id, nil
}
