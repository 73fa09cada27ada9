package localstate_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/localstate"
)

// What one token costs the process, the writer's work included.
func BenchmarkAddAndTouch(b *testing.B) {
	for _, accountsInUse := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("%d accounts", accountsInUse), func(b *testing.B) {
			s, err := localstate.Open(b.Context(), localstate.Config{Path: b.TempDir() + "/state.db"})
			if err != nil {
				b.Fatal(err)
			}
			ids := make([]uuid.UUID, accountsInUse)
			for i := range ids {
				ids[i] = uuid.New()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				id, now := ids[i%len(ids)], time.Now()
				s.Add(tokens.LiveToken{
					JTI: uuid.NewString(), AccountID: id, CredentialID: id, ClientID: "abcdefghijklmnopqrstuvwxyz", Scope: "llm:* tools:*",
					Audience: []string{"https://signet.example/orgs/acme"}, IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute), Gen: 3, SecretSeq: 1,
				})
				s.Touch(accounts.Use{AccountID: id, CredentialID: id, SecretID: id, At: now, Addr: netip.MustParseAddr("192.0.2.1"), UserAgent: "curl/8"})
				if i%256 == 255 {
					for s.Waiting() > 4096 {
						time.Sleep(time.Millisecond)
					}
				}
			}
			if err := s.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(s.Dropped()), "dropped")
		})
	}
}
