package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxTokenBytes = 16 << 10
	maxKIDBytes   = 256
	tokenType     = "at+jwt"
)

// strict refuses the unused bits of a last character, so that no two texts are one token.
var strict = base64.RawURLEncoding.Strict()

// header has the members that we act on. Keys that a token brings along (jwk, jku, x5u,
// x5c) are not among them.
type header struct {
	Alg  string         `json:"alg"`
	KID  string         `json:"kid"`
	Type string         `json:"typ"`
	Crit jsontext.Value `json:"crit"`
}

// VerifySignature checks that raw is an access token (RFC 9068: typ at+jwt) in compact
// form with a good signature of one of the keys, and returns its header and claims as
// JSON. It judges no claim: most callers want [Verifier.Verify]. The error is an
// [*InvalidError] or an [*UnavailableError].
func VerifySignature(ctx context.Context, raw string, keys KeySet) (headerJSON, payload []byte, err error) { //nolint:revive // Verifier.Verify judges the claims too; the name says that this does not
	segments, err := split(raw)
	if err != nil {
		return nil, nil, err
	}
	headerJSON, head, err := parseHeader(segments[0])
	if err != nil {
		return nil, nil, err
	}
	payload, signature := decode(segments[1]), decode(segments[2])
	if payload == nil || signature == nil {
		return nil, nil, refuse(Malformed)
	}
	if err := checkSignature(ctx, keys, head, raw[:len(raw)-len(segments[2])-1], signature); err != nil {
		return nil, nil, err
	}
	return headerJSON, payload, nil
}

// split looks at size and dots before anything is allocated.
func split(raw string) ([3]string, error) {
	if len(raw) > maxTokenBytes || strings.Count(raw, ".") != 2 {
		return [3]string{}, refuse(Malformed)
	}
	first, rest, _ := strings.Cut(raw, ".")
	second, third, _ := strings.Cut(rest, ".")
	return [3]string{first, second, third}, nil
}

// decode returns nil for an empty segment and for anything but base64url.
func decode(segment string) []byte {
	if strings.ContainsAny(segment, "\r\n") { // which the decoder passes over
		return nil
	}
	data, err := strict.DecodeString(segment)
	if err != nil || len(data) == 0 {
		return nil
	}
	return data
}

func parseHeader(segment string) (raw []byte, head header, err error) {
	raw = decode(segment)
	if raw == nil {
		return nil, header{}, refuse(Malformed)
	}
	if err := unmarshalObject(raw, &head); err != nil {
		return nil, header{}, refuse(Malformed)
	}
	if !isAccessToken(head.Type) {
		return nil, header{}, refuse(WrongType)
	}
	head.Alg = canonicalAlg(head.Alg)
	if _, known := algorithms[head.Alg]; !known || head.Crit != nil {
		return nil, header{}, refuse(WrongAlgorithm)
	}
	if head.KID == "" || len(head.KID) > maxKIDBytes {
		return nil, header{}, refuse(UnknownKey)
	}
	return raw, head, nil
}

// unmarshalObject refuses null, duplicate names and anything after the object.
func unmarshalObject(data []byte, into any) error {
	if jsontext.Value(data).Kind() != jsontext.KindBeginObject {
		return errors.New("not a JSON object")
	}
	return json.Unmarshal(data, into)
}

// isAccessToken compares as media types are compared (RFC 9068, section 4; RFC 7515, section 4.1.9).
func isAccessToken(typ string) bool {
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, tokenType)
}

func checkSignature(ctx context.Context, keys KeySet, head header, signed string, signature []byte) error {
	key, err := keys.Key(ctx, head.KID, head.Alg)
	if errors.Is(err, ErrNoKey) {
		return refuse(UnknownKey)
	}
	if err != nil {
		if unavailable, ok := errors.AsType[*UnavailableError](err); ok {
			return unavailable
		}
		return &UnavailableError{Err: err}
	}
	algorithm := algorithms[head.Alg]
	if !algorithm.fits(key) {
		return refuse(WrongAlgorithm)
	}
	if err := algorithm.method.Verify(signed, signature, key); err != nil {
		return refuse(BadSignature)
	}
	return nil
}
