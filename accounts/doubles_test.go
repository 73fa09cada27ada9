package accounts_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// memoryUsage keeps the newest use of each secret, as the shared state does.
type memoryUsage struct {
	mu     sync.Mutex
	newest map[uuid.UUID]accounts.Use
	lost   error // set while the state does not answer
	erased []uuid.UUID
	hung   atomic.Bool // answers nothing until the caller gives up
}

func (m *memoryUsage) Touch(use accounts.Use) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost == nil && m.newest[use.SecretID].At.Before(use.At) {
		m.newest[use.SecretID] = use
	}
}

func (m *memoryUsage) Seen(ctx context.Context, ids []uuid.UUID) ([]accounts.Use, error) {
	if m.hung.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var uses []accounts.Use
	for _, use := range m.newest {
		if slices.Contains(ids, use.AccountID) {
			uses = append(uses, use)
		}
	}
	return uses, m.lost
}

func (m *memoryUsage) Erase(ctx context.Context, ids []uuid.UUID) error {
	if m.hung.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erased = append(m.erased, ids...)
	return m.lost
}

// lose makes the state forget everything and answer nothing but err.
func (m *memoryUsage) lose(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.newest, m.lost = map[uuid.UUID]accounts.Use{}, err
}

// brokenStore is a store some of whose methods do not answer.
type brokenStore struct {
	accounts.Store
	saveUsage func(ctx context.Context, uses []accounts.Use) error
	bySecret  error
}

func (s brokenStore) SaveUsage(ctx context.Context, uses []accounts.Use) error {
	if s.saveUsage == nil {
		return s.Store.SaveUsage(ctx, uses)
	}
	return s.saveUsage(ctx, uses)
}

func (s brokenStore) StandingBySecret(ctx context.Context, hashes []accounts.Hash) (accounts.Standing, error) {
	if s.bySecret != nil {
		return accounts.Standing{}, s.bySecret
	}
	return s.Store.StandingBySecret(ctx, hashes)
}
