package redisstate_test

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// What one token costs the process, the writer's work included: 200,000 tokens a run.
func BenchmarkAddTouchAllow(b *testing.B) {
	const bulk = 200_000
	for _, accountsInUse := range []int{1, 100, 10_000} {
		b.Run(strconv.Itoa(accountsInUse)+" accounts", func(b *testing.B) {
			s, _ := openAt(b, standalone(b).url, patient)
			ids := make([]uuid.UUID, accountsInUse)
			for i := range ids {
				ids[i] = uuid.New()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				for i := range bulk {
					issue(s, b, ids[i%len(ids)])
					for i%256 == 255 && s.Waiting() > 4096 {
						time.Sleep(100 * time.Microsecond)
					}
				}
				for s.Waiting() > 0 {
					time.Sleep(100 * time.Microsecond)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/bulk, "µs/token")
			b.ReportMetric(float64(s.Dropped()), "dropped")
		})
	}
}

func issue(s *redisstate.State, b *testing.B, id uuid.UUID) {
	now := time.Now()
	s.Add(tokens.LiveToken{
		JTI: uuid.NewString(), AccountID: id, CredentialID: id, ClientID: "abcdefghijklmnopqrstuvwxyz", Scope: "llm:* tools:*",
		Audience: []string{"https://signet.example/orgs/acme"}, IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute), Gen: 3, SecretSeq: 1,
	})
	s.Touch(accounts.Use{AccountID: id, CredentialID: id, SecretID: id, At: now, Addr: netip.MustParseAddr("192.0.2.1"), UserAgent: "curl/8"})
	s.Allow(b.Context(), "192.0.2.1", 1<<30, time.Minute)
}
