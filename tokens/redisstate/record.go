package redisstate

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

// version begins a record. A replica passes over those of another version.
const version = 1

// packLive makes the record of a token. It carries its account, so that a reader notices
// when it is given somebody else's.
func packLive(t *tokens.LiveToken) string {
	b := make([]byte, 0, 160+len(t.JTI)+len(t.Scope))
	b = append(b, version)
	b = append(b, t.AccountID[:]...)
	b = append(b, t.CredentialID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.IssuedAt.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.ExpiresAt.UnixMicro()))
	b = binary.AppendVarint(b, t.Gen)
	b = binary.AppendVarint(b, t.SecretSeq)
	for _, text := range []string{t.JTI, t.ClientID, t.Scope} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, uint64(len(t.Audience)))
	for _, audience := range t.Audience {
		b = appendText(b, audience)
	}
	return string(b)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// unpackLive reports whether the record is one of the account's.
func unpackLive(account uuid.UUID, record string) (t tokens.LiveToken, ok bool) {
	r := scanner{rest: record}
	if r.byte() != version {
		return t, false
	}
	t.AccountID, t.CredentialID = r.id(), r.id()
	t.IssuedAt, t.ExpiresAt = r.time(), r.time()
	t.Gen, t.SecretSeq = r.varint(), r.varint()
	t.JTI, t.ClientID, t.Scope = r.text(), r.text(), r.text()
	for count := r.uvarint(); count > 0 && !r.bad; count-- {
		t.Audience = append(t.Audience, r.text())
	}
	return t, r.complete() && t.AccountID == account
}

// usePrefix begins the member of a use. Members of one score are ordered by their bytes:
// those of a secret stand together, by time.
func usePrefix(secret uuid.UUID, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(secret[:], uint64(at.UnixMicro())^1<<63)
}

func packUse(use *accounts.Use) string {
	b := append(usePrefix(use.SecretID, use.At), version)
	b = append(b, use.AccountID[:]...)
	b = append(b, use.CredentialID[:]...)
	addr, _ := use.Addr.MarshalBinary() // it never fails
	b = appendText(b, string(addr))
	return string(appendText(b, use.UserAgent))
}

// unpackUse reports whether the member is one of the account's.
func unpackUse(account uuid.UUID, member string) (use accounts.Use, ok bool) {
	r := scanner{rest: member}
	use.SecretID = r.id()
	use.At = time.UnixMicro(int64(r.uint64() ^ 1<<63)).UTC()
	if r.byte() != version {
		return use, false
	}
	use.AccountID, use.CredentialID = r.id(), r.id()
	var addr netip.Addr
	if err := addr.UnmarshalBinary([]byte(r.text())); err != nil {
		return use, false
	}
	use.Addr, use.UserAgent = addr, r.text()
	return use, r.complete() && use.AccountID == account
}

// scanner reads the parts of a record. Once it is bad, it reads nothing.
type scanner struct {
	rest string
	bad  bool
}

func (r *scanner) take(n uint64) string {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	part := r.rest[:n]
	r.rest = r.rest[n:]
	return part
}

func (r *scanner) complete() bool { return !r.bad && r.rest == "" }

func (r *scanner) byte() byte {
	if part := r.take(1); part != "" {
		return part[0]
	}
	return 0
}

func (r *scanner) id() (id uuid.UUID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

func (r *scanner) uint64() uint64 {
	if part := r.take(8); part != "" {
		return binary.BigEndian.Uint64([]byte(part))
	}
	return 0
}

func (r *scanner) time() time.Time { return time.UnixMicro(int64(r.uint64())).UTC() }

func (r *scanner) text() string { return r.take(r.uvarint()) }

func (r *scanner) uvarint() uint64 {
	value, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	r.skip(n)
	return value
}

func (r *scanner) varint() int64 {
	value, n := binary.Varint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	r.skip(n)
	return value
}

// skip passes over n bytes that were read; fewer than one were none.
func (r *scanner) skip(n int) {
	if n <= 0 {
		r.bad = true
		return
	}
	r.take(uint64(n))
}
