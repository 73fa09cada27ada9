package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// hangs is far above every promise: a request that takes longer gets no answer.
const hangs = 8 * time.Second

// door is a way in: one replica, or the balancer. It is safe for concurrent use.
type door struct {
	name   string
	url    string
	issuer string
	admin  login
	http   *http.Client

	mu     sync.Mutex
	bearer string // of the administrator
}

func newDoor(name, base string, f *fleet, transport http.RoundTripper) *door {
	return &door{
		name: name, url: base, issuer: f.issuer, admin: f.admin,
		http: &http.Client{Transport: transport, Timeout: hangs},
	}
}

func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 256
	return transport
}

// answer is an answer with its body read.
type answer struct {
	status int
	header http.Header
	body   []byte
	began  time.Time
	took   time.Duration
}

// text reads one text member of an object, "" when there is none.
func (a answer) text(name string) string {
	var object map[string]any
	if json.Unmarshal(a.body, &object) != nil {
		return ""
	}
	value, _ := object[name].(string)
	return value
}

func (a answer) String() string { return fmt.Sprintf("status %d %.200s", a.status, a.body) }

// send returns an error when no whole answer came; began and took are set all the same.
func (d *door) send(r *http.Request) (answer, error) {
	got := answer{began: time.Now()}
	response, err := d.http.Do(r)
	if err != nil {
		got.took = time.Since(got.began)
		return got, err
	}
	defer func() { _ = response.Body.Close() }()
	got.status, got.header = response.StatusCode, response.Header
	got.body, err = io.ReadAll(response.Body)
	got.took = time.Since(got.began)
	return got, err
}

func (d *door) form(ctx context.Context, path string, form url.Values) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r, nil
}

// ask sends a token request. Parameters are pairs.
func (d *door) ask(ctx context.Context, who login, parameters ...string) (answer, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(parameters); i += 2 {
		form.Add(parameters[i], parameters[i+1])
	}
	r, err := d.form(ctx, "/token", form)
	if err != nil {
		return answer{}, err
	}
	r.SetBasicAuth(url.QueryEscape(who.ID), url.QueryEscape(who.Secret))
	return d.send(r)
}

// token returns a token of the login.
func (d *door) token(ctx context.Context, who login, parameters ...string) (string, error) {
	got, err := d.ask(ctx, who, parameters...)
	if err != nil {
		return "", fmt.Errorf("ask %s for a token: %w", d.name, err)
	}
	if got.status != http.StatusOK {
		return "", fmt.Errorf("ask %s for a token: %s", d.name, got)
	}
	return got.text("access_token"), nil
}

// asAdmin adds the administrator's token, a new one when the last was refused.
func (d *door) asAdmin(r *http.Request, refused string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bearer == refused {
		token, err := d.token(r.Context(), d.admin, "resource", d.issuer)
		if err != nil {
			return err
		}
		d.bearer = token
	}
	r.Header.Set("Authorization", "Bearer "+d.bearer)
	return nil
}

// sendAsAdmin sends a request, once more when the administrator's token has ended.
func (d *door) sendAsAdmin(make func() (*http.Request, error)) (answer, error) {
	refused := ""
	for {
		r, err := make()
		if err != nil {
			return answer{}, err
		}
		if err := d.asAdmin(r, refused); err != nil {
			return answer{}, err
		}
		got, err := d.send(r)
		if err != nil || refused != "" || got.status != http.StatusUnauthorized {
			return got, err
		}
		refused = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
}

// forget drops the administrator's token, whose key is about to go.
func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bearer = ""
}

// call makes one administrative call.
func (d *door) call(ctx context.Context, method, path, body string) (answer, error) {
	return d.sendAsAdmin(func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, method, d.url+path, strings.NewReader(body))
		if err == nil && body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		return r, err
	})
}

// must makes an administrative call that has to succeed.
func (d *door) must(ctx context.Context, method, path, body string) (answer, error) {
	got, err := d.call(ctx, method, path, body)
	if err != nil {
		return got, fmt.Errorf("%s %s at %s: %w", method, path, d.name, err)
	}
	if got.status >= http.StatusMultipleChoices {
		return got, fmt.Errorf("%s %s at %s: %s", method, path, d.name, got)
	}
	return got, nil
}

// introspect asks about a token. Active is only true when the answer says so.
func (d *door) introspect(ctx context.Context, token string) (active bool, got answer, err error) {
	got, err = d.sendAsAdmin(func() (*http.Request, error) {
		return d.form(ctx, "/introspect", url.Values{"token": {token}})
	})
	var said struct{ Active bool }
	if err == nil && got.status == http.StatusOK {
		err = json.Unmarshal(got.body, &said)
	}
	return said.Active, got, err
}

// get reads what everybody may read.
func (d *door) get(ctx context.Context, path string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
	if err != nil {
		return answer{}, err
	}
	return d.send(r)
}
