package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// links is the owner of proxies; it has no port of its own.
var links = toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())

// proxy stands between one process and one server, to break the link between these two alone.
type proxy struct {
	inner    *toxiproxy.Proxy
	upstream string
}

func startProxy(name, upstream string) (*proxy, error) {
	p := &proxy{inner: toxiproxy.NewProxy(links, name, "127.0.0.1:0", upstream), upstream: upstream}
	if err := p.inner.Start(); err != nil {
		return nil, fmt.Errorf("proxy %s: %w", name, err)
	}
	return p, nil
}

func (p *proxy) addr() string { return p.inner.Listen }

// cut ends every connection and refuses new ones.
func (p *proxy) cut() { p.inner.Stop() }

// heal undoes whatever was done to the link.
func (p *proxy) heal(ctx context.Context) error {
	p.inner.Toxics.ResetToxics(ctx)
	if p.inner.Enabled && p.inner.Upstream == p.upstream {
		return nil
	}
	return p.lead(p.upstream)
}

// lead ends every connection and leads new ones to another server.
func (p *proxy) lead(upstream string) error {
	p.inner.Stop()
	return p.inner.Update(&toxiproxy.Proxy{Listen: p.inner.Listen, Upstream: upstream, Enabled: true})
}

// latency delays every answer.
func (p *proxy) latency(d time.Duration) error {
	return p.add("latency", map[string]any{"latency": d.Milliseconds()})
}

// reset breaks every connection as soon as an answer comes, by RST.
func (p *proxy) reset() error { return p.add("reset_peer", map[string]any{"timeout": 0}) }

func (p *proxy) add(toxic string, attributes map[string]any) error {
	text, err := json.Marshal(map[string]any{"name": toxic, "type": toxic, "stream": "downstream", "attributes": attributes})
	if err != nil {
		return err
	}
	_, err = p.inner.Toxics.AddToxicJson(strings.NewReader(string(text)))
	return err
}

// through is a URL with the proxy in the place of its host.
func (p *proxy) through(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	u.Host = p.addr()
	return u.String(), nil
}
