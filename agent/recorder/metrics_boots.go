package recorder

import (
	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
)

// bootMetrics are about boots and those who follow them.
type bootMetrics struct {
	boots         *prometheus.CounterVec
	underWay      prometheus.Gauge
	bootTook      *prometheus.HistogramVec
	stageTook     *prometheus.HistogramVec
	stalled       *prometheus.CounterVec
	droppedEvents prometheus.Counter
	storeErrors   prometheus.Counter
	stored        func() int // nil: nothing is stored
	deliveries    *prometheus.CounterVec
}

// bootBuckets reach from a virtual machine with a small kernel to a server that checks its memory and a large image, in
// seconds.
var bootBuckets = []float64{1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600}

// stageNone is the stage of a boot that came to none.
const stageNone = "none"

func newBootMetrics(reg prometheus.Registerer, native bool) *bootMetrics {
	m := &bootMetrics{
		boots: counters(
			"boots_total",
			"Boots that ended, by result: booted, stalled, looped, failed, local_disk.",
			[]string{"result", "arch", "profile"},
		),
		underWay: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "boots_in_progress", Help: "Boots under way.",
		}),
		bootTook: histograms(
			"boot_duration_seconds",
			"From a machine's first request until it had all that it boots.",
			bootBuckets,
			native,
			"arch",
		),
		stageTook: histograms(
			"boot_stage_duration_seconds",
			"What each stage of a boot that ended took, from its first request to the end of its last.",
			transferBuckets,
			native,
			"stage",
		),
		stalled: counters(
			"boots_stalled_total",
			"Boots that ended stalled or failed, by the stage that they came to last.",
			[]string{"stage"},
		),
		droppedEvents: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "boot_events_dropped_total",
			Help: "Requests that are in no boot, since too many waited to be looked at; they were served.",
		}),
		storeErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "store_errors_total",
			Help: "Times that boots could not be written to disk, or the file not be opened.",
		}),
		deliveries: counters(
			"webhook_deliveries_total",
			"Boots posted to the webhook, by outcome: ok, failed, dropped.",
			[]string{"outcome"},
		),
	}
	stored := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "boots_stored", Help: "Boots that are kept on disk.",
	}, func() float64 {
		if m.stored == nil {
			return 0
		}
		return float64(m.stored())
	})
	reg.MustRegister(
		m.boots,
		m.underWay,
		m.bootTook,
		m.stageTook,
		m.stalled,
		m.droppedEvents,
		m.storeErrors,
		stored,
		m.deliveries,
	)
	for _, s := range append(boot.Stages(), stageNone) {
		m.stalled.WithLabelValues(string(s))
	}
	for _, s := range boot.Stages() {
		m.stageTook.WithLabelValues(string(s))
	}
	for _, o := range []string{hookOK, hookFailed, hookDropped} {
		m.deliveries.WithLabelValues(o)
	}
	return m
}

// histograms are classic ones, or native ones in their place: Prometheus drops the classic part of a histogram that has
// both.
func histograms(name, help string, buckets []float64, native bool, labels ...string) *prometheus.HistogramVec {
	opts := prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}
	if native {
		opts.Buckets, opts.NativeHistogramBucketFactor, opts.NativeHistogramMaxBucketNumber = nil, 1.1, 160
	}
	return prometheus.NewHistogramVec(opts, labels)
}

// bootSeen has the series of a boot's end be there while it is under way: in one that begins with 1 Prometheus sees no
// increase, and a site's first boot would be missing in every graph.
func (m *bootMetrics) bootSeen(b boot.Boot) {
	for _, r := range boot.Results() {
		m.boots.WithLabelValues(string(r), b.Arch, b.Profile)
	}
	m.bootTook.WithLabelValues(b.Arch)
}

// bootEnded counts a boot that ended. Its ID is the exemplar of how long it took.
func (m *bootMetrics) bootEnded(b boot.Boot) {
	m.boots.WithLabelValues(string(b.Result), b.Arch, b.Profile).Inc()
	if b.Result == boot.Booted {
		observe(m.bootTook.WithLabelValues(b.Arch), b.Ended.Sub(b.Started).Seconds(), b.ID)
	}
	for _, s := range b.Stages {
		observe(m.stageTook.WithLabelValues(string(s.Stage)), s.End.Sub(s.Start).Seconds(), b.ID)
	}
	if b.Result == boot.Stalled || b.Result == boot.Broken {
		stage := b.At
		if stage == "" {
			stage = stageNone
		}
		m.stalled.WithLabelValues(string(stage)).Inc()
	}
}

func observe(o prometheus.Observer, seconds float64, id string) {
	o.(prometheus.ExemplarObserver).ObserveWithExemplar(seconds, prometheus.Labels{"boot_id": id})
}
