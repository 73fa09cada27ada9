package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fakeReplica answers like a server, or breaks the connection.
type fakeReplica struct {
	*httptest.Server
	unready, broken atomic.Bool
	asked           atomic.Int64
}

func startFakeReplica(t *testing.T) *fakeReplica {
	f := &fakeReplica{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/readyz" && f.unready.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/readyz":
		case f.broken.Load():
			f.asked.Add(1)
			panic(http.ErrAbortHandler)
		default:
			f.asked.Add(1)
			if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") == "" {
				w.WriteHeader(http.StatusBadRequest)
			}
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func balance(t *testing.T, fakes ...*fakeReplica) (*balancer, *door) {
	t.Helper()
	f := &fleet{issuer: "http://127.0.0.1:1"}
	for i, fake := range fakes {
		f.replicas = append(f.replicas, &replica{index: i, url: fake.URL})
	}
	b, err := startBalancer(t.Context(), f.replicas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b, newDoor("the balancer", f.issuer, f, b)
}

func ask(t *testing.T, d *door) answer {
	t.Helper()
	got, err := d.ask(t.Context(), login{"id", "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestI38_TokenRequestsAreRepeated: a connection that breaks costs no request, and the body
// comes again with it.
func TestI38_TokenRequestsAreRepeated(t *testing.T) {
	good, bad := startFakeReplica(t), startFakeReplica(t)
	bad.broken.Store(true)
	b, d := balance(t, good, bad)
	for range 20 {
		if got := ask(t, d); got.status != http.StatusOK {
			t.Fatalf("got %s", got)
		}
	}
	if b.repeated.Load() == 0 || bad.asked.Load() == 0 {
		t.Error("the broken replica was never asked")
	}
}

func TestI18_WritesAreNotRepeated(t *testing.T) {
	bad := startFakeReplica(t)
	bad.broken.Store(true)
	_, d := balance(t, bad)
	d.bearer = "token"
	if _, err := d.call(t.Context(), http.MethodPost, "/v2/orgs", "{}"); err == nil {
		t.Error("a broken connection is no error")
	}
	if n := bad.asked.Load(); n != 1 {
		t.Errorf("the write was sent %d times", n)
	}
}

func TestUnreadyReplicasAreLeftOut(t *testing.T) {
	good, draining := startFakeReplica(t), startFakeReplica(t)
	draining.unready.Store(true)
	b, d := balance(t, good, draining)
	for deadline := time.Now().Add(5 * time.Second); !b.backends[1].isDown(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the balancer does not notice")
		}
	}
	before := draining.asked.Load()
	for range 10 {
		ask(t, d)
	}
	if n := draining.asked.Load() - before; n != 0 {
		t.Errorf("the unready replica got %d requests", n)
	}
}

func TestSamples(t *testing.T) {
	began := time.Now()
	var all samples
	for i := range 100 {
		s := sample{due: began.Add(time.Duration(i) * time.Second), waited: time.Duration(100-i) * time.Millisecond, door: i % 3}
		if i%10 == 0 {
			s.failure = fmt.Sprint(i)
		}
		all = append(all, s)
	}
	if got := all.p99(); got != 100*time.Millisecond {
		t.Errorf("p99 is %v", got)
	}
	if got := all.quantile(0.5); got != 51*time.Millisecond {
		t.Errorf("the median is %v", got)
	}
	some := all.between(began.Add(10*time.Second), began.Add(20*time.Second))
	if len(some) != 10 || len(some.failed()) != 1 || len(all.at(0)) != 34 {
		t.Errorf("%d between, %d of them failed, %d at the first door", len(some), len(some.failed()), len(all.at(0)))
	}
	if (samples{}).p99() != 0 {
		t.Error("no samples have a p99")
	}
}

// TestF12_OutagesAreJudged: what may come from a replica that has lost the truth, and what not.
func TestF12_OutagesAreJudged(t *testing.T) {
	from := time.Now()
	p := period{from, from.Add(3 * time.Second), from.Add(4 * time.Second)}
	at := from.Add(time.Second)
	for _, c := range []struct {
		name  string
		one   sample
		fault string
	}{
		{"in order", sample{due: at, waited: time.Second, status: 503, retry: true, failure: "503"}, ""},
		{"after it was over", sample{due: p.to.Add(-time.Second / 2), waited: time.Second, status: 200}, ""},
		{"without Retry-After", sample{due: at, status: 503, failure: "503"}, "not 503 with Retry-After"},
		{"invalid_client", sample{due: at, status: 401, failure: "401"}, "not 503 with Retry-After"},
		{"no answer", sample{due: at, failure: "EOF"}, "not 503 with Retry-After"},
		{"late", sample{due: at, waited: 2 * time.Second, status: 503, retry: true, failure: "503"}, "took longer"},
		{"from memory", sample{due: at, waited: time.Millisecond, status: 200}, "issued without the truth"},
	} {
		s := &session{report: newReport(summary{}, t.Output())}
		s.judgeRefusals("row", samples{c.one}, p)
		var found []string
		for _, v := range s.report.violations {
			found = append(found, v.text)
		}
		text := strings.Join(found, "; ")
		if (c.fault == "") != (text == "") || !strings.Contains(text, c.fault) {
			t.Errorf("%s: %q, want %q", c.name, text, c.fault)
		}
	}
}

// TestI9_LateSuccessesAreViolations feeds the judge of propagation what a stale replica would do.
func TestI9_LateSuccessesAreViolations(t *testing.T) {
	acked := time.Now()
	for _, c := range []struct {
		name string
		last time.Duration // from the acknowledgement to the start of the last success
		odd  string
		bad  bool
	}{
		{"in flight at the acknowledgement", -time.Millisecond, "", false},
		{"after it", time.Microsecond, "", true},
		{"no answer at all", -time.Millisecond, "EOF", true},
	} {
		st := &stage{session: &session{report: newReport(summary{}, t.Output())}}
		h := &hammer{door: &door{name: "replica 0"}, lastSuccess: acked.Add(c.last), odd: c.odd}
		st.judgeFire("row", "disable", &fire{hammers: []*hammer{h}}, acked)
		if bad := len(st.session.report.violations) > 0; bad != c.bad {
			t.Errorf("%s: a violation: %v, want %v", c.name, bad, c.bad)
		}
	}
}
