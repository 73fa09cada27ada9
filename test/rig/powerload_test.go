package main

import "testing"

func TestI16_JudgePower(t *testing.T) {
	upTo := func(to powerStage) (seen milestones) {
		for i := planned; i <= to; i++ {
			seen[i] = true
		}
		return seen
	}
	without := func(seen milestones, stage powerStage) milestones {
		seen[stage] = false
		return seen
	}
	for _, tt := range []struct {
		name                   string
		ackedBefore, wantAfter powerStage
		seen                   milestones
		want                   string
	}{
		{"nothing was acknowledged and nothing is there", planned, created, upTo(planned), ""},
		{"what was under way is there", planned, created, upTo(created), ""},
		{"what was acknowledged is there", renamed, revokedToken, upTo(renamed), ""},
		{"more than acknowledged is there", renamed, revokedToken, upTo(revokedToken), ""},
		{"an account is gone", created, renamed, upTo(planned), string(lostWrite)},
		{"a name is gone", renamed, revokedToken, upTo(created), string(lostWrite)},
		{"a revocation is gone", revokedToken, disabledAccount, upTo(renamed), string(revivedOne)},
		{"a name is gone and the later revocation is not", revokedToken, revokedToken, without(upTo(revokedToken), renamed), string(lostWrite)},
		{"a disabling is gone", disabledAccount, disabledAccount, upTo(revokedToken), string(lostWrite)},
		{"everything is gone", disabledAccount, disabledAccount, upTo(planned), "lost write, lost write, revoked but active, lost write"},
		{"nobody asked for that", created, created, upTo(renamed), string(brokenRule)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			account := &powerAccount{path: "/a"}
			before := progress{account, tt.ackedBefore, tt.ackedBefore}
			after := progress{account, tt.wantAfter, tt.ackedBefore}
			if found := judgePower(before, after, tt.seen); offences(found) != tt.want {
				t.Errorf("found %v, want %q", found, tt.want)
			}
		})
	}
}

func TestNewestAccountsOfEachWriter(t *testing.T) {
	var all []progress
	for writer := range 2 {
		for range powerChecked + 5 {
			all = append(all, progress{account: &powerAccount{writer: writer}})
		}
	}
	chosen := newest(all)
	if len(chosen) != 2*powerChecked {
		t.Fatalf("%d are chosen, want %d", len(chosen), 2*powerChecked)
	}
	for _, p := range chosen {
		if p == all[4] || p == all[powerChecked+5+4] {
			t.Error("an old account is chosen")
		}
	}
}
