package redisstate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/signet-issuer/signet/accounts"
)

// fault says in our words what is wrong with Redis. Its own words may repeat what it was
// sent, a password for one.
type fault struct {
	words string
	cause error
}

func (f *fault) Error() string { return f.words }

func (f *fault) Unwrap() error { return f.cause }

// refusals are the codes with which a server refuses.
var refusals = map[string]string{
	"READONLY":    "is a read-only replica",
	"LOADING":     "is loading its data",
	"OOM":         "is full: raise maxmemory",
	"NOPERM":      "does not give its user the rights that are needed",
	"WRONGPASS":   "refuses the user or the password",
	"NOAUTH":      "demands a user and a password",
	"MISCONF":     "takes no writes since it cannot save its data",
	"NOREPLICAS":  "takes no writes since it has too few replicas",
	"MASTERDOWN":  "has lost its master",
	"CLUSTERDOWN": "is a cluster that is not complete",
	"MOVED":       "is a cluster in motion, or the URL does not say redis+cluster",
	"ASK":         "is a cluster in motion, or the URL does not say redis+cluster",
	"TRYAGAIN":    "is a cluster in motion",
	"CROSSSLOT":   "is a cluster, which the URL does not say",
	"WRONGTYPE":   "holds something else under a key of ours",
}

// codeOf returns the first word of a server's refusal, "" of anything else.
func codeOf(err error) string {
	var refusal redis.Error
	if !errors.As(err, &refusal) || errors.Is(err, redis.Nil) {
		return ""
	}
	code, _, _ := strings.Cut(refusal.Error(), " ")
	return code
}

// faultOf returns nil for nil.
func faultOf(err error) error {
	if _, known := errors.AsType[*fault](err); err == nil || known {
		return err
	}
	return &fault{words: wordsOf(err), cause: err}
}

func wordsOf(err error) string {
	if code := codeOf(err); code != "" {
		if words, known := refusals[code]; known {
			return "Redis " + words
		}
		if strings.Contains(err.Error(), "AUTH") {
			return "Redis refuses the user or the password"
		}
		return "Redis refuses what it is asked"
	}
	var network net.Error
	operation, isDial := errors.AsType[*net.OpError](err)
	_, isName := errors.AsType[*net.DNSError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, isPlain := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case isCertificate:
		return "the certificate of Redis is not trusted"
	case isDial && operation.Op == "remote error":
		return "Redis refuses the TLS connection"
	case isPlain:
		return "Redis does not speak TLS at that port"
	case errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed):
		return "Redis is not asked any more"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrPoolTimeout), errors.As(err, &network) && network.Timeout():
		return "Redis does not answer in time"
	case isDial, isName, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "Redis cannot be reached"
	}
	return "what Redis answers is not understood"
}

// unavailable is every failure of a reader: of a state that keeps no truth, nobody needs to
// know more than that it does not answer.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", accounts.ErrUnavailable, what, faultOf(err))
}
