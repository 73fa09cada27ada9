package keycard_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

type page struct {
	Items []struct{ ID, Name string }
	Info  struct {
		Next  bool    `json:"has_next_page"`
		Prev  bool    `json:"has_prev_page"`
		Start *string `json:"start_cursor"`
		End   *string `json:"end_cursor"`
	} `json:"page_info"`
}

func (d *door) page(t testing.TB, list, query string) page {
	t.Helper()
	got := decode[page](t, d.do(t, 200, "GET "+list+"?"+query, ""))
	if n := len(got.Items); n > 0 && (*got.Info.Start != got.Items[0].ID || *got.Info.End != got.Items[n-1].ID) {
		t.Fatalf("?%s: cursors %v and %v of %v", query, got.Info.Start, got.Info.End, got.Items)
	}
	return got
}

func names(p page) []string {
	list := []string{}
	for _, item := range p.Items {
		list = append(list, item.Name)
	}
	return list
}

// 250 accounts are read page by page, on and back, each once and always oldest first.
func TestPagesOfAccountsInBothDirections(t *testing.T) {
	d := open(t)
	want := make([]string, 250)
	for i := range want {
		want[i] = fmt.Sprintf("account %03d", i)
		_, err := d.Service.CreateAccount(t.Context(), testenv.Operator, accounts.BySlug("acme"), accounts.NewAccount{Name: want[i]})
		must(t, err)
	}
	got, query, last := []string{}, "limit=40", page{}
	for n := 0; ; n++ {
		last = d.page(t, acme, query)
		got = append(got, names(last)...)
		if last.Info.Prev != (n > 0) || last.Info.Next != (len(got) < len(want)) {
			t.Fatalf("page %d: %+v", n, last.Info)
		}
		if !last.Info.Next {
			break
		}
		query = "limit=40&after=" + *last.Info.End
	}
	if !slices.Equal(got, want) {
		t.Fatalf("on: %v", got)
	}
	back := names(last)
	for last.Info.Prev {
		last = d.page(t, acme, "limit=40&before="+*last.Info.Start)
		back = append(names(last), back...)
		if !last.Info.Next || last.Info.Prev != (len(back) < len(want)) {
			t.Fatalf("back at %d: %+v", len(back), last.Info)
		}
	}
	if !slices.Equal(back, want) {
		t.Errorf("back: %v", back)
	}
	if standard := d.page(t, acme, ""); len(standard.Items) != 50 {
		t.Errorf("%d items without a limit", len(standard.Items))
	}
}

func TestPagesOfCredentials(t *testing.T) {
	d := open(t)
	list := acme + "/" + d.make(t, acme, "deployer") + "/credentials"
	empty := d.page(t, list, "")
	if empty.Items == nil || len(empty.Items) > 0 || empty.Info.Start != nil || empty.Info.End != nil || empty.Info.Next || empty.Info.Prev {
		t.Errorf("no credentials: %+v", empty)
	}
	ids := []string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		ids = append(ids, d.make(t, list, name))
	}
	d.do(t, 204, "DELETE "+list+"/"+ids[1], "")
	for query, want := range map[string]string{
		"limit=2":                    "[a c] next true prev false",
		"after=" + ids[1]:            "[c d] next false prev true", // it is gone, and its place is not
		"before=" + ids[1]:           "[a] next true prev false",
		"limit=1&before=" + ids[3]:   "[c] next true prev true",
		"after=" + ids[3]:            "[] next false prev true",
		"limit=100&before=" + ids[0]: "[] next true prev false",
	} {
		p := d.page(t, list, query)
		if got := fmt.Sprintf("%v next %t prev %t", names(p), p.Info.Next, p.Info.Prev); got != want {
			t.Errorf("?%s: %s, want %s", query, got, want)
		}
	}
}

func TestBadQueries(t *testing.T) {
	d := open(t)
	id := d.make(t, acme, "deployer")
	cursor := "after=" + id
	for _, query := range []string{
		"limit=0", "limit=101", "limit=", "limit=05", "limit=+5", "limit=1.0", "limit=1&limit=2",
		"after=", "after=" + id + "&after=" + id, "after=0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01", "before=aaaaaaaaaaaaaaaaaaaaaaaaaa",
		cursor + "&before=" + id, "cursor=" + id, "offset=1", "Limit=1", "after[]=" + id, "%zz", "expand=%00",
	} {
		d.do(t, 400, "GET "+acme+"?"+query, "")
	}
	account := acme + "/" + id
	for _, request := range []string{
		"GET " + account + "?limit=1", "DELETE " + account + "?force=true", "PATCH " + account + "?expand=permissions",
		"POST " + acme + "?expand=permissions", "POST " + account + "/credentials?x=", "DELETE " + account + "/credentials/x?x=",
	} {
		d.do(t, 400, request, "")
	}
	d.do(t, 200, "GET "+account, "")
}
