package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// statement is one call of a lookup that its test answers.
type statement struct {
	keys   []cacheKey
	answer chan error
}

// held returns batches whose statements wait for the test, in the order of their sending.
func held() (*batches, chan statement) {
	sent := make(chan statement, 1000)
	return &batches{lookup: func(ctx context.Context, keys []cacheKey) (answers, error) {
		s := statement{keys, make(chan error)}
		sent <- s
		select {
		case err := <-s.answer:
			return all(keys, 1), err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, sent
}

// all finds every key.
func all(keys []cacheKey, gen int64) answers {
	found := answers{}
	for _, key := range keys {
		found[key] = answer{standing: accounts.Standing{ClientID: key.name, Gen: gen}}
	}
	return found
}

func key(name any) cacheKey { return cacheKey{name: fmt.Sprint(name)} }

// ask expects an answer to a request for the key.
func ask(t *testing.T, b *batches, key cacheKey) {
	t.Helper()
	found, err := b.find(t.Context(), []cacheKey{key})
	if err != nil || found[key].standing.ClientID != key.name {
		t.Errorf("%s: %+v, %v", key.name, found[key], err)
	}
}

func TestLoneRequestsAreOneStatementEach(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		var sent [][]cacheKey
		b := &batches{lookup: func(_ context.Context, keys []cacheKey) (answers, error) {
			sent = append(sent, keys)
			return all(keys, 1), nil
		}}
		began := time.Now()
		for i := range 10 {
			ask(t, b, key(i))
			if len(sent) != i+1 || !slices.Equal(sent[i], []cacheKey{key(i)}) {
				t.Fatalf("request %d made statements %v", i, sent)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("they waited %v", waited)
		}
	})
}

func TestRequestsGatherWhileStatementsAreInFlight(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		b, sent := held()
		var group sync.WaitGroup
		ask := func(n int) { group.Go(func() { ask(t, b, key(n)) }) }
		for i := range maxInFlight {
			ask(i)
			synctest.Wait()
			if len(sent) != i+1 {
				t.Fatalf("%d statements for %d requests", len(sent), i+1)
			}
		}
		var flying []statement
		for range maxInFlight {
			flying = append(flying, <-sent)
		}
		// A hundred different ones, each asked for twice.
		for i := range 200 {
			ask(1000 + i/2)
			synctest.Wait()
		}
		if len(sent) != 0 {
			t.Fatal("more statements are in flight than may be")
		}
		flying[0].answer <- nil
		synctest.Wait()
		flying[0] = <-sent
		if len(flying[0].keys) != maxBatchKeys || flying[0].keys[0] != key(1000) || flying[0].keys[63] != key(1063) {
			t.Errorf("the next batch has %d keys from %v on", len(flying[0].keys), flying[0].keys[0])
		}
		flying[1].answer <- nil
		synctest.Wait()
		flying[1] = <-sent
		if len(flying[1].keys) != 36 {
			t.Errorf("the last batch has %d keys", len(flying[1].keys))
		}
		for _, s := range flying {
			s.answer <- nil
		}
		group.Wait()
		if len(sent) != 0 {
			t.Error("a statement for nobody")
		}
	})
}

// A read that was sent before a request began may not know of a write that it must know of.
func TestI9_NoRequestJoinsAStatementInFlight(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var truth, statements atomic.Int64
	b := &batches{lookup: func(_ context.Context, keys []cacheKey) (answers, error) {
		statements.Add(1)
		gen := truth.Load()
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		return all(keys, gen), nil
	}}
	const workers, rounds = 40, 60
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range rounds {
				wanted := key(rand.IntN(10))
				least := truth.Add(1)
				found, err := b.find(t.Context(), []cacheKey{wanted})
				if err != nil || found[wanted].standing.Gen < least {
					t.Errorf("a request after %d got %d, %v", least, found[wanted].standing.Gen, err)
				}
			}
		})
	}
	group.Wait()
	if n := statements.Load(); n > workers*rounds/2 {
		t.Errorf("%d statements for %d requests: hardly any were shared", n, workers*rounds)
	}
}

func TestWhoGivesUpLeavesTheBatchAlone(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		b, sent := held()
		var group sync.WaitGroup
		for i := range maxInFlight {
			group.Go(func() { ask(t, b, key(i)) })
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		giveUp := func(name string) {
			group.Go(func() {
				if _, err := b.find(ctx, []cacheKey{key(name)}); !errors.Is(err, context.Canceled) || errors.Is(err, accounts.ErrUnavailable) {
					t.Errorf("%s gave up with %v", name, err)
				}
			})
			synctest.Wait()
		}
		group.Go(func() { ask(t, b, key("stays")) })
		synctest.Wait()
		giveUp("in the batch")
		(<-sent).answer <- nil
		synctest.Wait()
		giveUp("before its batch")
		cancel()
		synctest.Wait()
		for len(sent) > 0 {
			s := <-sent
			if slices.Contains(s.keys, key("before its batch")) {
				t.Error("a statement asks for who left")
			}
			s.answer <- nil
			synctest.Wait()
		}
		group.Wait()
	})
}

// A database that hangs keeps nobody longer than that, however many came before.
func TestF12_WaitsAreBounded(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		b, _ := held()
		var group sync.WaitGroup
		for i := range 500 {
			time.Sleep(10 * time.Millisecond)
			group.Go(func() {
				began := time.Now()
				_, err := b.find(t.Context(), []cacheKey{key(i)})
				if waited := time.Since(began); waited > patience || !errors.Is(err, accounts.ErrUnavailable) {
					t.Errorf("request %d waited %v: %v", i, waited, err)
				}
			})
		}
		group.Wait()
		time.Sleep(patience)
		synctest.Wait()
		if len(b.waiting) != 0 || b.inFlight != 0 {
			t.Errorf("%d requests and %d statements are left", len(b.waiting), b.inFlight)
		}
	})
}

// A statement fails as a whole for one row that the database itself cannot compute with.
func TestF20_AStatementFailsForItsCauseAlone(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	broken := errors.New("bigint out of range")
	var statements atomic.Int64
	b := &batches{lookup: func(_ context.Context, keys []cacheKey) (answers, error) {
		statements.Add(1)
		time.Sleep(time.Millisecond)
		if slices.Contains(keys, key("bad")) {
			return nil, broken
		}
		return all(keys, 1), nil
	}}
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() { ask(t, b, key(i)) })
	}
	for range 10 {
		group.Go(func() {
			if _, err := b.find(t.Context(), []cacheKey{key("bad")}); !errors.Is(err, broken) {
				t.Errorf("the bad one: %v", err)
			}
		})
	}
	group.Wait()
}

// An outage is everybody's: asking for each alone would only make it longer.
func TestAnOutageIsNotAskedTwice(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		b, sent := held()
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				if _, err := b.find(t.Context(), []cacheKey{key(i)}); !errors.Is(err, accounts.ErrUnavailable) {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		n := 0
		for ; len(sent) > 0; n++ {
			(<-sent).answer <- fmt.Errorf("%w: connection refused", accounts.ErrUnavailable)
			synctest.Wait()
		}
		group.Wait()
		if n > maxInFlight+1 {
			t.Errorf("%d statements", n)
		}
	})
}

// What a batch takes for an outage is what the database calls one.
func TestLookupsNameAnOutage(t *testing.T) {
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqldb.Normal)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	store := New(db)
	for name, read := range map[string]lookup{"by secret": store.readBySecret, "by client": store.readByClient} {
		if found, err := read(t.Context(), []cacheKey{key(1)}); !errors.Is(err, accounts.ErrUnavailable) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func TestListsArePadded(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 33: 64, 64: 64, 65: 128, 1024: 1024} {
		if got := padded(n); got != want {
			t.Errorf("padded(%d) = %d, want %d", n, got, want)
		}
	}
	if got, want := valueRows(3, "TEXT", "BIGINT"), "VALUES (CAST($1 AS TEXT), CAST($2 AS BIGINT)), ($3, $4), ($5, $6)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
