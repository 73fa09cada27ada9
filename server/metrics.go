package server

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/signet-issuer/signet/server/web"
)

// Metrics counts what the server does. Its labels have few values: no org, account or address.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMetrics returns the process's metrics. dropped counts the state records that
// pressure made the write-behind queue lose.
func NewMetrics(dropped func() uint64) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signet_requests_total", Help: "Requests by surface, route, method, status and kind of error.",
		}, []string{"surface", "route", "method", "status", "error"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signet_request_duration_seconds", Help: "Time to answer by surface and route.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"surface", "route"}),
	}
	m.registry.MustRegister(m.requests, m.duration,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "signet_state_dropped_total", Help: "Live-token records and last uses that a full queue lost.",
		}, func() float64 { return float64(dropped()) }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// WatchPool adds the use of a pool of database connections. Its name is a label.
func (m *Metrics) WatchPool(name string, stats func() sql.DBStats) {
	labels := prometheus.Labels{"pool": name}
	gauge := func(name, help string, value func(sql.DBStats) float64) prometheus.Collector {
		opts := prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}
		return prometheus.NewGaugeFunc(opts, func() float64 { return value(stats()) })
	}
	counter := func(name, help string, value func(sql.DBStats) float64) prometheus.Collector {
		opts := prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}
		return prometheus.NewCounterFunc(opts, func() float64 { return value(stats()) })
	}
	m.registry.MustRegister(
		gauge("signet_sql_connections_max", "Connections that the pool may open.",
			func(s sql.DBStats) float64 { return float64(s.MaxOpenConnections) }),
		gauge("signet_sql_connections_in_use", "Connections that work at this moment.",
			func(s sql.DBStats) float64 { return float64(s.InUse) }),
		counter("signet_sql_waits_total", "Times that somebody had to wait for a connection.",
			func(s sql.DBStats) float64 { return float64(s.WaitCount) }),
		counter("signet_sql_wait_seconds_total", "Time that was waited for connections.",
			func(s sql.DBStats) float64 { return s.WaitDuration.Seconds() }),
	)
}

// WatchState adds whether the shared state is well, which report says by "ok".
func (m *Metrics) WatchState(report func() string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "signet_redis_ok", Help: "1 while nothing is wrong with Redis; /readyz?verbose says what is.",
	}, func() float64 {
		if report() == "ok" {
			return 1
		}
		return 0
	}))
}

// WatchClock adds the process's time, so that an alert can tell of a clock that is off.
func (m *Metrics) WatchClock(now func() time.Time) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "signet_time_seconds", Help: "What time it is for this process, in seconds since 1970.",
	}, func() float64 { return float64(now().UnixMilli()) / 1000 }))
}

// Observe counts one finished request.
func (m *Metrics) Observe(s web.Summary) {
	m.requests.WithLabelValues(s.Surface, s.Route, s.Method, strconv.Itoa(s.Status), s.ErrorKind).Inc()
	m.duration.WithLabelValues(s.Surface, s.Route).Observe(s.Duration.Seconds())
}

// Handler answers the metrics in the text format of Prometheus to anybody who asks.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// serveLocally answers on the main listener, to callers on this machine only. Whoever came
// through a proxy is not on this machine, even if the proxy is.
func (m *Metrics) serveLocally(w http.ResponseWriter, r *http.Request) error {
	if forwarded(r) || !web.ClientAddr(r.Context()).IsLoopback() {
		return web.NotFound()
	}
	m.Handler().ServeHTTP(w, r)
	return nil
}

// forwarded reports whether any header of a proxy is there.
func forwarded(r *http.Request) bool {
	for _, name := range []string{
		"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip",
	} {
		if _, sent := r.Header[name]; sent {
			return true
		}
	}
	return false
}
