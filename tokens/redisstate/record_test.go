package redisstate

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/limits"
)

var recordTime = time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC)

func liveRecord() tokens.LiveToken {
	return tokens.LiveToken{
		JTI: "jti", AccountID: uuid.New(), CredentialID: uuid.New(), ClientID: "client", Scope: "a:b c:d", Audience: []string{"x", "y"},
		IssuedAt: recordTime, ExpiresAt: recordTime.Add(time.Hour), Gen: -1 << 62, SecretSeq: 7,
	}
}

func useRecord() accounts.Use {
	return accounts.Use{
		AccountID: uuid.New(), CredentialID: uuid.New(), SecretID: uuid.New(), At: recordTime,
		Addr: netip.MustParseAddr("fe80::1%eth0"), UserAgent: "ärger\x00/1.0",
	}
}

// Whatever is cut off, added or changed, and whosever record it is: a reader gets a whole
// record of the account or none.
func TestF10_DamagedRecordsAreNotRead(t *testing.T) {
	token, use := liveRecord(), useRecord()
	live, member := packLive(&token), packUse(&use)
	if got, ok := unpackLive(token.AccountID, live); !ok || cmp.Diff(token, got) != "" {
		t.Errorf("%t, %s", ok, cmp.Diff(token, got))
	}
	sameAddr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if got, ok := unpackUse(use.AccountID, member); !ok || cmp.Diff(use, got, sameAddr) != "" {
		t.Errorf("%t, %s", ok, cmp.Diff(use, got, sameAddr))
	}
	for n := range len(live) {
		if _, ok := unpackLive(token.AccountID, live[:n]); ok {
			t.Errorf("the first %d bytes of a record are read", n)
		}
	}
	for n := range len(member) {
		if _, ok := unpackUse(use.AccountID, member[:n]); ok {
			t.Errorf("the first %d bytes of a use are read", n)
		}
	}
	_, longer := unpackLive(token.AccountID, live+"x")
	_, foreign := unpackLive(uuid.New(), live)
	_, newer := unpackLive(token.AccountID, "\x02"+live[1:])
	_, foreignUse := unpackUse(uuid.New(), member)
	if longer || foreign || newer || foreignUse {
		t.Errorf("longer %t, foreign %t, newer %t, foreign use %t", longer, foreign, newer, foreignUse)
	}
}

// The members of a secret are ordered by time, also before 1970.
func TestI46_UsesAreOrderedByTime(t *testing.T) {
	use := useRecord()
	last := ""
	for _, at := range []time.Time{time.Unix(-1<<33, 0), time.Unix(-1, 0), time.Unix(0, 0), recordTime, recordTime.Add(time.Microsecond), time.Unix(1<<40, 0)} {
		use.At = at
		member := packUse(&use)
		if member <= last || member <= string(usePrefix(use.SecretID, at)) {
			t.Errorf("the use of %v is out of order", at)
		}
		last = member
	}
}

func TestWindowRecords(t *testing.T) {
	w := limits.Window{Ends: recordTime, Used: 7}
	if got, ok := unpackWindow(packWindow(w)); !ok || !got.Ends.Equal(w.Ends) || got.Used != 7 {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, text := range []string{"", "1", "1 2", "1 2 3 4", "2 2 3", "1 x 3", "1 2 -3", "1 2 9999999999", "1  3"} {
		if _, ok := unpackWindow(text); ok {
			t.Errorf("%q is read", text)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	token, use := liveRecord(), useRecord()
	f.Add(token.AccountID[:], packLive(&token))
	f.Add(use.AccountID[:], packUse(&use))
	f.Add(token.AccountID[:], "\x01")
	f.Fuzz(func(t *testing.T, id []byte, text string) {
		account, err := uuid.FromBytes(id)
		if err != nil {
			return
		}
		if got, ok := unpackLive(account, text); ok && got.AccountID != account {
			t.Error("a record of another account is read")
		}
		if got, ok := unpackUse(account, text); ok && got.AccountID != account {
			t.Error("a use of another account is read")
		}
		_, _ = unpackWindow(text)
	})
}
