package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

var (
	start = time.Date(2026, 11, 22, 10, 11, 12, 345_678_000, time.UTC)
	actor = authz.Principal{
		System: true, AccountID: uuid.MustParse("018f0000-0000-7000-9000-0000000000ff"), Subject: "sa:system:admin",
		CorrelationID: "correlation-1", Source: "192.0.2.9",
	}
	counter atomic.Uint64
)

// newID returns ids in rising order.
func newID() uuid.UUID {
	id := uuid.MustParse("018f0000-0000-7000-8000-000000000000")
	binary.BigEndian.PutUint32(id[12:], uint32(counter.Add(1)))
	return id
}

func newStamp() accounts.Stamp {
	at := start.Add(time.Duration(counter.Add(1)) * time.Second)
	return accounts.Stamp{CreatedAt: at, CreatedBy: "sa:system:maker", UpdatedAt: at.Add(time.Hour), UpdatedBy: "sa:system:changer"}
}

func newOrg(slug string) accounts.Org {
	limit := int64(1000)
	return accounts.Org{
		ID: newID(), Slug: slug, Name: "Örg " + slug + " 名前 🤖", DefaultRole: "api",
		Audiences:       []string{"https://" + slug + ".example/a", "https://" + slug + ".example/b"},
		DefaultAudience: "https://" + slug + ".example/a", MaxServiceAccounts: &limit,
		Disabled: true, Gen: 3, Version: 5, Stamp: newStamp(),
	}
}

func newRole(org accounts.Org, slug string) accounts.Role {
	return accounts.Role{
		ID: newID(), OrgID: org.ID, Slug: slug, Name: "Rôle " + slug, Permissions: authz.MustSet("a:*", "b:"+slug),
		Delegable: true, BuiltIn: true, Version: 2, Stamp: newStamp(),
	}
}

func newGroup(org accounts.Org, name string) accounts.Group {
	return accounts.Group{
		ID: newID(), OrgID: org.ID, Name: name, Description: "Grüppchen\n" + name,
		Tags: []accounts.Tag{{Name: "stufe", Value: "1"}}, Version: 4, Stamp: newStamp(),
	}
}

func newAccount(org accounts.Org, slug string) accounts.ServiceAccount {
	return accounts.ServiceAccount{
		ID: newID(), OrgID: org.ID, OrgSlug: org.Slug, Slug: slug, Name: "Bötchen " + slug, Description: "tut was 🤖\n\"quoted\"",
		Scopes: authz.MustSet("a:*", "b:*"), TokenLifetime: 11 * time.Minute,
		Tags:     []accounts.Tag{{Name: "zulu", Value: "1"}, {Name: "alpha", Value: "ä\n2"}},
		Disabled: true, Gen: 20, Version: 6, Stamp: newStamp(),
	}
}

func newCredential(account accounts.ServiceAccount, clientID string) accounts.Credential {
	return accounts.Credential{
		ID: newID(), AccountID: account.ID, OrgID: account.OrgID, ClientID: clientID, Kind: accounts.KindSecret, Shape: accounts.Prefixed,
		Name: "Schlüssel " + clientID, Description: "für " + clientID, Scopes: authz.MustSet("a:x", "b:*"),
		AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		ExpiresAt:    start.Add(1000 * time.Hour), Disabled: true, Primary: true, LastSeq: 1, Gen: 100, Version: 8, Stamp: newStamp(),
	}
}

func newSecret(credential accounts.Credential, seq int64) accounts.Secret {
	return accounts.Secret{
		ID: newID(), CredentialID: credential.ID, Seq: seq, Hint: "wxyz", Gen: 17,
		CreatedAt: newStamp().CreatedAt, ExpiresAt: start.Add(500 * time.Hour),
	}
}

func newHash(secret accounts.Secret, pepper int64) accounts.Hash {
	sum := sha256.Sum256(secret.ID[:])
	return accounts.Hash{Pepper: pepper, Sum: sum[:]}
}

func newPepper(number int64) accounts.SealedPepper {
	return accounts.SealedPepper{Number: number, Sealed: []byte{0, 1, 0xfe, 0xff, byte(number)}, CreatedAt: newStamp().CreatedAt}
}

// newEvent has no actor, correlation id and source: the write fills them in.
func newEvent(id uuid.UUID) audit.Event {
	return audit.Event{
		ID: id, Time: start, Type: "organizations.serviceAccounts.created", OrgID: uuid.MustParse("018f0000-0000-7000-8000-0000000000cc"),
		OrgSlug: "cc", Target: "sa:cc:bot", Outcome: audit.Succeeded,
	}
}

func newUse(secret accounts.Secret, account uuid.UUID, at time.Time) accounts.Use {
	return accounts.Use{
		AccountID: account, CredentialID: secret.CredentialID, SecretID: secret.ID, At: at,
		Addr: netip.MustParseAddr("2001:db8::5"), UserAgent: fmt.Sprintf("agent/%d", at.UnixMicro()),
	}
}

func lastUse(use accounts.Use) accounts.LastUse {
	return accounts.LastUse{At: use.At, Addr: use.Addr, UserAgent: use.UserAgent}
}

// world is one org with one of everything in it, none of it with a zero field.
type world struct {
	org        accounts.Org
	role       accounts.Role // of the account
	extra      accounts.Role // of the group
	group      accounts.Group
	account    accounts.ServiceAccount
	credential accounts.Credential
	pepper     accounts.SealedPepper
	secret     accounts.Secret
	hash       accounts.Hash
	use        accounts.Use
}

// newWorld stores a world and checks that all of it comes back as it was written.
func newWorld(t *testing.T, s *suite, slug string) *world {
	t.Helper()
	w := &world{org: newOrg(slug)}
	w.role, w.extra = newRole(w.org, "worker"), newRole(w.org, "extra")
	w.group = newGroup(w.org, "Grüppe "+slug)
	w.group.Roles, w.group.RoleIDs = []string{w.extra.Slug, w.role.Slug}, []uuid.UUID{w.role.ID, w.extra.ID}
	w.account = newAccount(w.org, "bot")
	w.account.Role, w.account.Groups = w.role.Slug, []uuid.UUID{w.group.ID}
	w.credential = newCredential(w.account, "client-"+slug)
	w.credential.Kind = accounts.KindToken // so that the account has an end of its token
	w.pepper = newPepper(int64(counter.Add(1)))
	w.secret = newSecret(w.credential, 1)
	w.hash = newHash(w.secret, w.pepper.Number)
	w.use = newUse(w.secret, w.account.ID, start.Add(time.Minute))
	s.write(t, func(tx accounts.Tx) error { return w.insert(t, tx) })
	if err := s.store.SaveUsage(t.Context(), []accounts.Use{w.use}); err != nil {
		t.Fatal(err)
	}
	w.group.Members, w.group.Version = []uuid.UUID{w.account.ID}, w.group.Version+1
	w.account.TokenExpiresAt = w.credential.ExpiresAt
	w.secret.LastUse, w.credential.LastUse, w.account.LastUse = lastUse(w.use), lastUse(w.use), lastUse(w.use)
	w.check(t, s)
	return w
}

func (w *world) insert(t *testing.T, tx accounts.Tx) error {
	ctx := t.Context()
	for _, step := range []func() error{
		func() error { return tx.InsertOrg(ctx, w.org) },
		func() error { return tx.InsertRole(ctx, w.role) },
		func() error { return tx.InsertRole(ctx, w.extra) },
		func() error { return tx.InsertGroup(ctx, w.group) },
		func() error { return tx.InsertAccount(ctx, w.account) },
		func() error { return tx.InsertCredential(ctx, w.credential) },
		func() error { return tx.InsertPepper(ctx, w.pepper) },
		func() error { return tx.InsertSecret(ctx, w.secret, w.hash) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// check demands that everything reads as w has it.
func (w *world) check(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	for _, object := range []any{w.org, w.role, w.extra, w.group, w.account, w.credential, w.pepper, w.secret, w.use} {
		requireNoZero(t, object)
	}
	err := s.store.Read(ctx, func(r accounts.Reader) error {
		org, err1 := r.Org(ctx, accounts.ByID(w.org.ID))
		same(t, "org", w.org, org)
		role, err2 := r.Role(ctx, w.org.ID, accounts.ByID(w.role.ID))
		same(t, "role", w.role, role)
		group, err3 := r.Group(ctx, w.org.ID, w.group.ID)
		same(t, "group", w.group, group)
		account, err4 := r.Account(ctx, w.org.ID, accounts.ByID(w.account.ID))
		same(t, "account", w.account, account)
		credential, err5 := r.Credential(ctx, w.account.ID, w.credential.ID)
		same(t, "credential", w.credential, credential)
		secrets, err6 := r.Secrets(ctx, w.credential.ID)
		same(t, "secrets", []accounts.Secret{w.secret}, secrets)
		return firstError(err1, err2, err3, err4, err5, err6)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func firstError(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}
