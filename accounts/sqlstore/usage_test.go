package sqlstore_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// use is one of the only secret of a client.
func (c client) use(at time.Time) accounts.Use {
	return accounts.Use{AccountID: c.account.ID, CredentialID: c.credential.ID, SecretID: c.secret.ID, At: at}
}

// usesOf reads the stored uses by id.
func usesOf(t *testing.T, db *sqldb.DB) map[uuid.UUID]time.Time {
	t.Helper()
	uses := map[uuid.UUID]time.Time{}
	err := db.Each(t.Context(), func(rows *sql.Rows) error {
		var id uuid.UUID
		var at int64
		err := rows.Scan(&id, &at)
		uses[id] = sqldb.FromMicros(at)
		return err
	}, "SELECT id, used_at FROM last_uses")
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

// Two replicas save overlapping uses while administrators change and delete what they belong to.
func TestI46_ReplicasLoseNoMaximum(t *testing.T) {
	url := engines.Database(t)
	db := prepared(t, connect(t, url))
	replicas := []*sqlstore.Store{sqlstore.New(db), sqlstore.New(connect(t, url))}
	kept, doomed := make([]client, 40), make([]client, 60)
	for i := range kept {
		kept[i] = stored(t, replicas[0], fmt.Sprintf("kept-%d", i))
	}
	for i := range doomed {
		doomed[i] = stored(t, replicas[0], fmt.Sprintf("doomed-%d", i))
	}
	var done atomic.Bool
	newest := make([][]time.Time, len(replicas))
	var saving, changing sync.WaitGroup
	for i, store := range replicas {
		saving.Go(func() { newest[i] = saveUntil(t, store, kept, doomed, &done) })
	}
	changing.Go(func() { deleteAll(t, replicas[0], doomed) })
	changing.Go(func() { updateAll(t, replicas[1], kept) })
	changing.Wait()
	done.Store(true)
	saving.Wait()

	uses := usesOf(t, db)
	for i, c := range kept {
		want := newest[0][i]
		if newest[1][i].After(want) {
			want = newest[1][i]
		}
		if got := uses[c.secret.ID]; !got.Equal(want) {
			t.Errorf("last use of %s at %v, want %v", c.credential.ClientID, got, want)
		}
	}
	for i, c := range doomed {
		if at, ok := uses[c.secret.ID]; ok && i%3 != 0 {
			t.Errorf("a use of what went with its credential at %v is left", at)
		}
	}
}

// saveUntil saves uses at random times in random order, and returns the newest of each that is kept.
func saveUntil(t *testing.T, store *sqlstore.Store, kept, doomed []client, done *atomic.Bool) []time.Time {
	newest := make([]time.Time, len(kept))
	for rounds := 0; rounds < 20 || !done.Load(); rounds++ {
		var uses []accounts.Use
		for i, c := range kept {
			at := start.Add(time.Duration(rand.IntN(1e9)) * time.Microsecond)
			if at.After(newest[i]) {
				newest[i] = at
			}
			uses = append(uses, c.use(at))
		}
		for _, c := range doomed {
			uses = append(uses, c.use(start.Add(time.Duration(rounds)*time.Second)))
		}
		rand.Shuffle(len(uses), func(i, j int) { uses[i], uses[j] = uses[j], uses[i] })
		if err := store.SaveUsage(t.Context(), uses); err != nil {
			t.Errorf("round %d: %v", rounds, err)
			break
		}
	}
	return newest
}

// deleteAll deletes in three ways.
func deleteAll(t *testing.T, store *sqlstore.Store, clients []client) {
	ctx := t.Context()
	for i, c := range clients {
		err := write(ctx, store, func(tx accounts.Tx) error {
			switch i % 3 {
			case 0: // a use that was on its way may stay, as one of the credential's
				return tx.DeleteSecret(ctx, c.credential.ID, c.secret.ID)
			case 1:
				return tx.DeleteCredential(ctx, c.account.ID, c.credential.ID)
			}
			return tx.DeleteAccount(ctx, c.org.ID, c.account.ID, start)
		})
		if err != nil {
			t.Errorf("delete %d: %v", i, err)
		}
	}
}

func updateAll(t *testing.T, store *sqlstore.Store, clients []client) {
	ctx := t.Context()
	for i, c := range clients {
		err := write(ctx, store, func(tx accounts.Tx) error {
			c.account.Description = "changed"
			c.credential.Description = "changed"
			if err := tx.UpdateAccount(ctx, c.account); err != nil {
				return err
			}
			return tx.UpdateCredential(ctx, c.credential)
		})
		if err != nil {
			t.Errorf("update %d: %v", i, err)
		}
	}
}

// withSecrets gives a client n more secrets, which end when it says.
func withSecrets(t testing.TB, store *sqlstore.Store, c client, n int, end time.Time) []accounts.Use {
	t.Helper()
	ctx := t.Context()
	uses := make([]accounts.Use, n)
	err := write(ctx, store, func(tx accounts.Tx) error {
		for i := range uses {
			secret := accounts.Secret{ID: newID(), CredentialID: c.credential.ID, Seq: int64(i + 2), CreatedAt: start, ExpiresAt: end}
			if err := tx.InsertSecret(ctx, secret, accounts.Hash{Pepper: 1, Sum: secret.ID[:]}); err != nil {
				return err
			}
			uses[i] = accounts.Use{
				AccountID: c.account.ID, CredentialID: c.credential.ID, SecretID: secret.ID, At: start.Add(time.Duration(i) * time.Second),
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

func TestI46_ManyUsesAtOnce(t *testing.T) { onEach(t, testManyUses) }

// More than one statement holds, with repetitions, strangers and text that no database takes.
func testManyUses(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db)
	c := stored(t, store, "acme")
	real := withSecrets(t, store, c, 1100, time.Time{})
	var uses []accounts.Use
	for i, use := range real {
		older, stray := use, use
		older.At, stray.SecretID = use.At.Add(-time.Hour), newID()
		use.UserAgent = fmt.Sprintf("agent %d\x00\xff", i)
		uses = append(uses, older, use, older, stray)
	}
	rand.Shuffle(len(uses), func(i, j int) { uses[i], uses[j] = uses[j], uses[i] })
	if err := store.SaveUsage(t.Context(), uses); err != nil {
		t.Fatal(err)
	}
	saved := usesOf(t, db)
	if len(saved) != len(real) {
		t.Errorf("%d uses are stored, want %d", len(saved), len(real))
	}
	for _, use := range real {
		if !saved[use.SecretID].Equal(use.At) {
			t.Fatalf("a use at %v, want %v", saved[use.SecretID], use.At)
		}
	}
	var agent string
	err := db.Each(t.Context(), func(rows *sql.Rows) error { return rows.Scan(&agent) },
		"SELECT user_agent FROM last_uses WHERE id = $1", real[7].SecretID)
	if err != nil || agent != "agent 7" {
		t.Errorf("the user agent is %q, %v", agent, err)
	}
}

func TestSweepOfManyByMany(t *testing.T) { onEach(t, testSweepOfMany) }

func testSweepOfMany(t *testing.T, db *sqldb.DB) {
	const many = 1100 // more than one round removes
	store := sqlstore.New(db)
	c := stored(t, store, "acme")
	uses := withSecrets(t, store, c, many, start.Add(time.Hour))
	if err := store.SaveUsage(t.Context(), uses); err != nil {
		t.Fatal(err)
	}
	keepReceipts(t, store, many)
	var swept atomic.Int64
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			n, err := store.Sweep(t.Context(), start.Add(time.Hour), start.Add(2*time.Hour))
			if err != nil {
				t.Error(err)
			}
			swept.Add(int64(n))
		})
	}
	group.Wait()
	if swept.Load() != 2*many {
		t.Errorf("%d swept, want %d", swept.Load(), 2*many)
	}
	left := usesOf(t, db)
	if at := left[c.credential.ID]; len(left) != 1 || !at.Equal(uses[many-1].At) {
		t.Errorf("%d uses are left, that of the credential at %v, want %v", len(left), at, uses[many-1].At)
	}
}

func keepReceipts(t *testing.T, store *sqlstore.Store, n int) {
	t.Helper()
	err := write(t.Context(), store, func(tx accounts.Tx) error {
		for i := range n {
			if err := tx.KeepReceipt(t.Context(), audit.Receipt{Actor: uuid.UUID{1}, Key: fmt.Sprint(i), Time: start}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
