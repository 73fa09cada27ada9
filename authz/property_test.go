package authz_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/authz"
)

func TestI1_EveryPairOfPatternsAgreesWithModel(t *testing.T) {
	var patterns []authz.Pattern
	var means []language
	for _, segments := range allWords(append([]string{"*"}, letters...), 3) {
		p := mustPattern(strings.Join(segments, ":"))
		patterns, means = append(patterns, p), append(means, meaning(string(p)))
	}
	known := map[authz.Pattern]language{"": {}}
	for i, p := range patterns {
		known[p] = means[i]
	}
	for i, p := range patterns {
		for j, q := range patterns {
			common := means[i].and(means[j])
			if got, want := p.Covers(q), common == means[j]; got != want {
				t.Fatalf("%s covers %s: %t", p, q, got)
			}
			met, ok := p.Meet(q)
			if ok == (met == "") || known[met] != common {
				t.Fatalf("%s meets %s in %q, %t, which is not exactly what they share", p, q, met, ok)
			}
		}
	}
}

func TestI1_PatternAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := drawPattern(t, "p"), drawPattern(t, "q")
		meansP, meansQ := meaning(string(p)), meaning(string(q))
		if got, want := p.Covers(q), meansQ.within(meansP); got != want {
			t.Fatalf("%s covers %s: %t, want %t", p, q, got, want)
		}
		met, ok := p.Meet(q)
		common := meansP.and(meansQ)
		if ok != (common != language{}) {
			t.Fatalf("%s meets %s: %t", p, q, ok)
		}
		if ok && meaning(string(met)) != common {
			t.Fatalf("%s meets %s in %s, which is not exactly what they share", p, q, met)
		}
		if back, again := q.Meet(p); again != ok || back != met {
			t.Fatalf("%s meets %s in %q, the other way round in %q", p, q, met, back)
		}
	})
}

func TestI1_ReduceKeepsMeaningAndIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := drawTexts(t, "texts")
		set := authz.MustSet(texts...)
		if len(texts) > 0 && setMeaning(set) != meaning(canonical(texts)...) {
			t.Fatalf("%q became %s", texts, set)
		}
		shuffled := append(rapid.Permutation(texts).Draw(t, "order"), texts...)
		if again := authz.MustSet(shuffled...); !again.Equal(set) || again.String() != set.String() {
			t.Fatalf("order or repetition matters: %s and %s", set, again)
		}
		patterns := set.Patterns()
		if !slices.IsSorted(patterns) || set.Len() != len(patterns) || set.Empty() != (len(patterns) == 0) {
			t.Fatalf("not sorted, or Len or Empty is wrong: %q", patterns)
		}
		for i, p := range patterns {
			for j, q := range patterns {
				if i != j && authz.Pattern(p).Covers(authz.Pattern(q)) {
					t.Fatalf("%s holds %s and %s, which it covers", set, p, q)
				}
			}
		}
	})
}

func canonical(texts []string) []string {
	read := make([]string, len(texts))
	for i, text := range texts {
		read[i] = string(mustPattern(text))
	}
	return read
}

func TestI1_SetAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, u := drawSet(t, "s"), drawSet(t, "u")
		p := drawPattern(t, "p")
		meansS, meansU := setMeaning(s), setMeaning(u)
		if got, want := s.Covers(p), meaning(string(p)).within(meansS); got != want {
			t.Fatalf("%s covers %s: %t, want %t", s, p, got, want)
		}
		if got, want := s.Contains(u), meansU.within(meansS); got != want {
			t.Fatalf("%s contains %s: %t, want %t", s, u, got, want)
		}
		if got, want := s.Equal(u), meansS == meansU; got != want {
			t.Fatalf("%s equals %s: %t, want %t", s, u, got, want)
		}
		if setMeaning(s.Union(u)) != meansS.or(meansU) {
			t.Fatalf("%s ∪ %s = %s", s, u, s.Union(u))
		}
		if setMeaning(s.Intersect(u)) != meansS.and(meansU) {
			t.Fatalf("%s ∩ %s = %s", s, u, s.Intersect(u))
		}
		kept := s.Filter(func(q authz.Pattern) bool { return q != p })
		if kept.Covers(p) && slices.Contains(s.Patterns(), string(p)) || !s.Contains(kept) {
			t.Fatalf("filtering %s from %s leaves %s", p, s, kept)
		}
	})
}

func TestI1_IntersectLaws(t *testing.T) {
	everything := authz.MustSet("*")
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawSet(t, "a"), drawSet(t, "b"), drawSet(t, "c")
		met := a.Intersect(b)
		if !a.Contains(met) || !b.Contains(met) {
			t.Fatalf("%s ∩ %s = %s is not within both", a, b, met)
		}
		laws := []struct {
			name        string
			left, right authz.Set
		}{
			{"commutative", met, b.Intersect(a)},
			{"associative", met.Intersect(c), a.Intersect(b.Intersect(c))},
			{"idempotent", a.Intersect(a), a},
			{"again changes nothing", met.Intersect(b), met},
			{"everything is neutral", a.Intersect(everything), a},
			{"nothing absorbs", a.Intersect(authz.Set{}), authz.Set{}},
			{"absorbs a union", a.Intersect(a.Union(b)), a},
			{"distributes", a.Intersect(b.Union(c)), met.Union(a.Intersect(c))},
		}
		for _, law := range laws {
			if law.left.String() != law.right.String() || !law.left.Equal(law.right) {
				t.Fatalf("%s: a=%s b=%s c=%s: %s and %s", law.name, a, b, c, law.left, law.right)
			}
		}
	})
}

// What was computed and written into a token must mean the same when it is read again.
func TestI1_ComputedSetsReadBackUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t, "s").Intersect(drawSet(t, "u"))
		if back := authz.TrustedSet(s.String()); !back.Equal(s) {
			t.Fatalf("%s reads back as %s", s, back)
		}
		if s.Len() > authz.MaxPatterns {
			return
		}
		back, err := authz.ParseSet(s.Patterns())
		if err != nil || !back.Equal(s) {
			t.Fatalf("%s parses as %s, %v", s, back, err)
		}
	})
}

func TestI1_GrantStaysWithinEveryInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		role, account, credential := drawSet(t, "role"), drawSet(t, "account"), drawSet(t, "credential")
		requested := drawSet(t, "requested")
		strict := rapid.Bool().Draw(t, "strict")
		allowed := role.Restrict(account).Restrict(credential)
		granted, err := authz.Grant(requested, allowed, strict)
		if err != nil {
			if !granted.Empty() {
				t.Fatalf("%s granted along with %v", granted, err)
			}
			return
		}
		inputs := map[string]authz.Set{"role": role, "account": account, "credential": credential, "requested": requested}
		for name, input := range inputs {
			if (name == "role" || !input.Empty()) && !setMeaning(granted).within(setMeaning(input)) {
				t.Fatalf("granted %s is not within %s %s", granted, name, input)
			}
		}
		if strict && !granted.Equal(requested) && !requested.Empty() {
			t.Fatalf("strict granted %s of %s", granted, requested)
		}
		if twice, err := authz.Grant(granted, allowed, true); err != nil || !twice.Equal(granted) {
			t.Fatalf("asking for what was granted, %s, yields %s, %v", granted, twice, err)
		}
	})
}

func TestI34_MayGrantAgreesWithModel(t *testing.T) {
	administration := meaning("orgs:*")
	rapid.Check(t, func(t *rapid.T) {
		p := authz.Principal{Holds: drawSet(t, "holds"), Permissions: drawSet(t, "permissions")}
		set := drawSet(t, "set")
		means := setMeaning(set)
		want := means.within(setMeaning(p.Holds)) && means.and(administration).within(setMeaning(p.Permissions))
		if got := p.MayGrant(set); got != want {
			t.Fatalf("holds %s, permissions %s, may grant %s: %t", p.Holds, p.Permissions, set, got)
		}
	})
}

func TestAdministrativePartAgreesWithModel(t *testing.T) {
	administration := meaning("orgs:*")
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t, "s")
		if got, want := s.Administrative(), !s.Empty() && setMeaning(s).within(administration); got != want {
			t.Fatalf("%s administrative: %t", s, got)
		}
		rest := s.WithoutAdministrative()
		if !s.Contains(rest) || !setMeaning(rest).or(setMeaning(s).and(administration)).within(setMeaning(s)) {
			t.Fatalf("%s without administration grew to %s", s, rest)
		}
		for _, p := range rest.Patterns() {
			if meaning(p).within(administration) {
				t.Fatalf("%s without administration still has %s", s, p)
			}
		}
		if lost := setMeaning(s); setMeaning(rest).or(lost.and(administration)) != lost {
			t.Fatalf("%s without administration lost more than that: %s", s, rest)
		}
	})
}

// A meet of long patterns must not outgrow what a token's scope can be read back from.
func TestI10_MeetsOfLongPatternsReadBack(t *testing.T) {
	long := strings.Repeat("a", 100) + ":*"
	other := "*:" + strings.Repeat("b", 100)
	if met, ok := authz.Pattern(long).Meet(authz.Pattern(other)); ok {
		t.Errorf("they meet in %d bytes, which nobody can write", len(met))
	}
	rapid.Check(t, func(rt *rapid.T) {
		segment := rapid.SampledFrom([]string{"*", "x", strings.Repeat("a", 60), strings.Repeat("b", 60)})
		draw := func(label string) authz.Pattern {
			for {
				p, err := authz.ParsePattern(strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(rt, label), ":"))
				if err == nil {
					return p
				}
			}
		}
		met, ok := draw("p").Meet(draw("q"))
		if !ok {
			return
		}
		if again, err := authz.ParsePattern(string(met)); err != nil || again != met {
			rt.Fatalf("%q reads back as %q (%v)", met, again, err)
		}
	})
}

func TestI34_MinusAgreesWithCovers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		segment := rapid.SampledFrom([]string{"*", "a", "b"})
		draw := func(label string) authz.Set {
			texts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) string {
				return strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(rt, "segments"), ":")
			}), 0, 6).Draw(rt, label)
			set, err := authz.ParseSet(texts)
			if err != nil {
				rt.Fatal(err)
			}
			return set
		}
		s, other := draw("s"), draw("other")
		want := s.Filter(func(p authz.Pattern) bool { return !other.Covers(p) })
		if got := s.Minus(other); !got.Equal(want) {
			rt.Fatalf("%v minus %v is %v, want %v", s, other, got, want)
		}
	})
}
