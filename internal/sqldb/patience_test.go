package sqldb

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
)

const short = 50 * time.Millisecond

// dialled connects to a server that does what serve does.
func dialled(t *testing.T, serve func(net.Conn)) net.Conn {
	t.Helper()
	conn, err := patientDial(short)(t.Context(), "tcp", listen(t, serve))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	return listener.Addr().String()
}

// mute reads and never answers.
func mute(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

// readFor reads once and returns how long that took.
func readFor(t *testing.T, conn net.Conn) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	_, err := conn.Read(make([]byte, 1))
	return time.Since(start), err
}

func TestF12_AMuteServerSpendsTheConnection(t *testing.T) {
	conn := dialled(t, mute)
	took, err := readFor(t, conn)
	if !errors.Is(err, os.ErrDeadlineExceeded) || took < short || took > 10*short {
		t.Errorf("Read = %v after %v", err, took)
	}
	// The driver grants itself a quarter of a minute to say good-bye.
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Read":  func() error { _, err := readFor(t, conn); return err }(),
		"Write": func() error { _, err := conn.Write([]byte{1}); return err }(),
	} {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s on a spent connection = %v", what, err)
		}
	}
}

func TestF12_TheDriversOwnDeadlineCountsToo(t *testing.T) {
	conn := dialled(t, mute)
	if err := conn.SetDeadline(time.Now().Add(short / 5)); err != nil {
		t.Fatal(err)
	}
	if took, err := readFor(t, conn); !errors.Is(err, os.ErrDeadlineExceeded) || took >= short {
		t.Errorf("Read = %v after %v, the driver had set %v", err, took, short/5)
	}

	// A deadline that ends comes from another goroutine while a read is going on.
	conn = dialled(t, mute)
	time.AfterFunc(short/5, func() { _ = conn.SetDeadline(time.Now()) })
	if took, err := readFor(t, conn); !errors.Is(err, os.ErrDeadlineExceeded) || took >= short {
		t.Errorf("Read = %v after %v, cancelled after %v", err, took, short/5)
	}

	// So does its withdrawal, which must not leave the read without any.
	conn = dialled(t, mute)
	time.AfterFunc(short/5, func() { _ = conn.SetDeadline(time.Time{}) })
	if took, err := readFor(t, conn); !errors.Is(err, os.ErrDeadlineExceeded) || took > 10*short {
		t.Errorf("Read = %v after %v", err, took)
	}
}

func TestAnswersRenewThePatience(t *testing.T) {
	conn := dialled(t, echo)
	for range 4 {
		time.Sleep(short * 2 / 3)
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := readFor(t, conn); err != nil {
			t.Fatal(err)
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A server may fall silent in TLS too, before and after the handshake.
func TestF12_PatienceReachesThroughTLS(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	for name, serve := range map[string]func(net.Conn){
		"never ready": mute,
		"no handshake": func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write([]byte("S"))
			mute(conn)
		},
		"no session": func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write([]byte("S"))
			mute(tls.Server(conn, config))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newPostgres("postgres://u:p@" + listen(t, serve) + "/d?sslmode=require")
			if err != nil {
				t.Fatal(err)
			}
			db := &DB{postgres: p, readers: p.pool(1, answerLimit, nil), writer: p.pool(1, answerLimit, nil)}
			defer func() { _ = db.Close() }()
			start := time.Now()
			err = db.Ping(t.Context())
			if took := time.Since(start); !errors.Is(err, ErrUnavailable) || took > time.Second {
				t.Errorf("Ping = %v after %v", err, took)
			}
		})
	}
}

func TestSlownessIsAllowedToOneTransaction(t *testing.T) {
	db, err := OpenPostgres(t.Context(), PostgresConfig{URL: secret.New(engines.Database(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	has := func(conn *sql.Conn) (patience time.Duration) {
		t.Helper()
		err := conn.Raw(func(driverConn any) error {
			c, err := patient(driverConn)
			if err == nil {
				patience = c.patience
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return patience
	}
	var conn *patientConn
	err = db.Write(t.Context(), func(tx *Tx) error {
		if err := tx.AllowSlow(t.Context()); err != nil {
			return err
		}
		if got := has(tx.conn); got <= slowLimit {
			t.Errorf("a slow transaction waits for %v only", got)
		}
		return tx.conn.Raw(func(driverConn any) error {
			var err error
			conn, err = patient(driverConn)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if conn.patience != answerLimit {
		t.Errorf("the next one waits for %v, want %v", conn.patience, answerLimit)
	}
}

func TestI16_EverySettingCounts(t *testing.T) {
	good := func() map[string]string {
		return map[string]string{
			"version": "130000", "standby": "f", "encoding": "UTF8",
			"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
		}
	}
	if err := examineServer(good()); err != nil {
		t.Errorf("a good server: %v", err)
	}
	for _, tt := range []struct {
		name, value string
		ok          bool
	}{
		{"version", "180001", true},
		{"version", "120022", false},
		{"version", "", false},
		{"standby", "t", false},
		{"encoding", "SQL_ASCII", false},
		{"fsync", "off", false},
		{"full_page_writes", "off", false},
		{"synchronous_commit", "off", false},
		{"synchronous_commit", "local", true},
		{"synchronous_commit", "remote_write", true},
		{"synchronous_commit", "remote_apply", true},
		{"synchronous_commit", "", false},
	} {
		is := good()
		is[tt.name] = tt.value
		if err := examineServer(is); (err == nil) != tt.ok {
			t.Errorf("%s = %q: %v", tt.name, tt.value, err)
		}
	}
}

func TestURLsThatPeopleUse(t *testing.T) {
	for _, text := range []string{
		"postgres://u:p%40ss%2Fword%3F%23@h/db", "postgresql://u@h:5432/db?sslmode=require", "postgres://u:a:b@h1:1,h2:2/db?target_session_attrs=read-write",
		"postgres://u@[::1]:5432/db", "postgres:///db?host=/run/postgresql", "postgres://user%40server:p@h/db", "postgres://u@%2Frun%2Fpostgresql/db",
		"postgres://u:p@h/db?application_name=x&search_path=signet&connect_timeout=10&options=-csearch_path%3Da",
	} {
		if _, err := parseURL(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]error{
		"postgres://u:p@h/db?sslmode=maybe":                         errURLParameters,
		"postgres://u:p@h/db?sslmod=require":                        errURLParameters,
		"postgres://u:p@h/db?sslrootcert=/absent&sslmode=verify-ca": errURLFile,
		"postgres://u:p@ss@h/db":                                    errURLForm,
	} {
		if _, err := parseURL(text); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestOneHangingHostLeavesTimeForTheNext(t *testing.T) {
	for url, want := range map[string]time.Duration{
		"postgres://u@one/d":                         400 * time.Millisecond,
		"postgres://u@one/d?sslmode=prefer":          400 * time.Millisecond,
		"postgres://u@one,two/d?connect_timeout=60":  200 * time.Millisecond,
		"postgres://u@one,two,three,four/d":          150 * time.Millisecond,
		"postgres://u@one:1,one:2/d?sslmode=prefer":  200 * time.Millisecond,
		"postgres://u@one:1,one:1/d?sslmode=disable": 400 * time.Millisecond,
	} {
		p, err := newPostgres(url)
		if err != nil {
			t.Fatal(err)
		}
		if p.config.ConnectTimeout != want {
			t.Errorf("%s: %v, want %v", url, p.config.ConnectTimeout, want)
		}
	}
}
