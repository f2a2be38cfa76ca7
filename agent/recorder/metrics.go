package recorder

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
)

// metrics are about requests and boots. Every label has a closed set of values: no name, MAC or address that came over
// the wire is ever one.
type metrics struct {
	*bootMetrics
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	resent   prometheus.Counter
	broken   *prometheus.CounterVec
	loops    prometheus.Counter
	quirks   *prometheus.CounterVec

	inFlightBy map[boot.Proto]prometheus.Gauge // of inFlight; not changed later

	cause func(level slog.Level, message string, by ...string) string // of a budget; nil: there is none
	mu    sync.RWMutex
	known map[labels]*ended
}

// labels are those of a request that ended. Each has a closed set of values.
type labels struct {
	proto    boot.Proto
	artifact boot.Artifact
	outcome  boot.Outcome
	class    boot.Class
}

// ended is what requests with the same labels have in common: the series that count them, and the cause of their lines.
type ended struct {
	requests, bytes prometheus.Counter
	duration        prometheus.Observer
	cause           string // see budget
}

// transferBuckets reach from a menu (a millisecond) to an image over a slow link (half an hour), in seconds.
var transferBuckets = []float64{.001, .005, .025, .1, .25, 1, 2.5, 10, 30, 120, 600, 1800}

func newMetrics(reg prometheus.Registerer, native bool) *metrics {
	request := []string{"protocol", "artifact", "outcome"}
	m := &metrics{
		requests: counters("requests_total", "Finished requests for files, by kind of client.", append(request, "class")),
		bytes:    counters("sent_bytes_total", "File bytes sent: acknowledged (TFTP) or written (HTTP).", request),
		duration: histograms(
			"request_duration_seconds",
			"From a request to its end, retransmissions included.",
			transferBuckets,
			native,
			request...),
		inFlight: gauges("requests_in_flight", "Requests under way.", []string{"protocol"}),
		resent: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "tftp_resent_packets_total", Help: "TFTP packets sent again for want of an answer.",
		}),
		broken: counters(
			"loops_broken_total",
			"Requests of iPXE for an NBP that were answered with the script instead.",
			[]string{"protocol"},
		),
		loops: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "loops_seen_total",
			Help: "Machines seen fetching an NBP three times in five minutes with no script between.",
		}),
		quirks: counters(
			"quirks_absorbed_total",
			"Oddities of firmware, in a requested name or in how it asks, that were put right, by kind.",
			[]string{"kind"},
		),
	}
	m.inFlightBy, m.known = map[boot.Proto]prometheus.Gauge{}, map[labels]*ended{}
	reg.MustRegister(m.requests, m.bytes, m.duration, m.inFlight, m.resent, m.broken, m.loops, m.quirks)
	// A series that is there from the start can be watched for its first change.
	for _, p := range []boot.Proto{boot.TFTP, boot.HTTP} {
		m.inFlightBy[p] = m.inFlight.WithLabelValues(string(p))
		m.broken.WithLabelValues(string(p))
	}
	for _, k := range boot.Quirks() {
		m.quirks.WithLabelValues(string(k))
	}
	m.bootMetrics = newBootMetrics(reg, native)
	return m
}

const namespace = "pxeagent"

func counters(name, help string, labels []string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauges(name, help string, labels []string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// begin counts a request as under way.
func (m *metrics) begin(a *boot.Ask) { m.underway(a.Proto).Inc() }

func (m *metrics) underway(p boot.Proto) prometheus.Gauge {
	if g, ok := m.inFlightBy[p]; ok {
		return g
	}
	return m.inFlight.WithLabelValues(string(p))
}

// end counts a request that ended, and says what others like it have in common with it. own: it is a check's, which
// asks as machines do; no loop of a machine's was broken.
func (m *metrics) end(t *boot.Transfer, own bool) *ended {
	proto := string(t.Proto)
	m.underway(t.Proto).Dec()
	series := m.of(labels{t.Proto, t.Artifact, t.Outcome, t.Class})
	series.requests.Inc()
	series.bytes.Add(float64(t.Bytes))
	series.duration.Observe(t.Took.Seconds())
	if t.Resent > 0 {
		m.resent.Add(float64(t.Resent))
	}
	if t.LoopBroken && !own {
		m.broken.WithLabelValues(proto).Inc()
	}
	for _, k := range t.Quirks {
		m.quirks.WithLabelValues(string(k)).Inc()
	}
	return series
}

// of finds what requests with these labels have in common.
func (m *metrics) of(l labels) *ended {
	m.mu.RLock()
	e, ok := m.known[l]
	m.mu.RUnlock()
	if ok {
		return e
	}
	proto, artifact, outcome := string(l.proto), string(l.artifact), string(l.outcome)
	e = &ended{
		requests: m.requests.WithLabelValues(proto, artifact, outcome, string(l.class)),
		bytes:    m.bytes.WithLabelValues(proto, artifact, outcome),
		duration: m.duration.WithLabelValues(proto, artifact, outcome),
	}
	if m.cause != nil {
		e.cause = m.cause(levelOf(l.outcome), served, proto, outcome)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[l] = e
	return e
}
