package writebehind

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

func TestBatchIsBounded(t *testing.T) {
	b, failed := NewBatch(10), NewBatch(10)
	dropped := 0
	for n := range 25 {
		dropped += b.Add(tokens.LiveToken{JTI: fmt.Sprint(n)})
		dropped += b.Touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(n), 0)})
	}
	if len(b.Live) != 10 || len(b.Uses) != 10 || dropped != 30 || b.Live[0].JTI != "15" {
		t.Errorf("%d records from %s on, %d uses, %d dropped", len(b.Live), b.Live[0].JTI, len(b.Uses), dropped)
	}
	for n := range 10 {
		failed.Add(tokens.LiveToken{JTI: fmt.Sprint("old", n)})
	}
	b.Live = b.Live[:4]
	if dropped := b.putBack(&failed); dropped != 4 || len(b.Live) != 10 || b.Live[0].JTI != "old4" || b.Live[9].JTI != "18" {
		t.Errorf("put back: %d dropped, %d records from %s to %s", dropped, len(b.Live), b.Live[0].JTI, b.Live[9].JTI)
	}
}

func TestBatchKeepsTheNewerUseWhenPutBack(t *testing.T) {
	b, failed := NewBatch(10), NewBatch(10)
	a, c := uuid.New(), uuid.New()
	b.Touch(accounts.Use{SecretID: a, At: time.Unix(2, 0)})
	failed.Touch(accounts.Use{SecretID: a, At: time.Unix(1, 0)})
	failed.Touch(accounts.Use{SecretID: c, At: time.Unix(1, 0)})
	if dropped := b.putBack(&failed); dropped != 0 || b.Uses[a].At.Unix() != 2 || b.Uses[c].At.Unix() != 1 {
		t.Errorf("%d dropped, %v", dropped, b.Uses)
	}
}

func TestBatchPutBackDropsTheOlderUses(t *testing.T) {
	b, failed := NewBatch(10), NewBatch(10)
	for n := range 10 {
		failed.Touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(n), 0)})
		if n < 8 {
			b.Touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(100+n), 0)})
		}
	}
	dropped, newer := b.putBack(&failed), 0
	for _, use := range b.Uses {
		if use.At.Unix() >= 100 {
			newer++
		}
	}
	if dropped != 8 || len(b.Uses) != 10 || newer != 8 {
		t.Errorf("%d dropped, %d uses, %d of them newer", dropped, len(b.Uses), newer)
	}
}

// A full queue must not copy itself for each record that it takes.
func TestBatchAddIsCheapWhenFull(t *testing.T) {
	b := NewBatch(1000)
	for range 1000 {
		b.Add(tokens.LiveToken{})
	}
	if perAdd := testing.AllocsPerRun(5000, func() { b.Add(tokens.LiveToken{}) }); perAdd > 0.1 {
		t.Errorf("%.2f allocations a record", perAdd)
	}
}
