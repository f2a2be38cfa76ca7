package watch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/firmware"
)

// metrics are about watched networks. Every label has a closed set of values: no name, MAC or
// address that came over the wire is ever one.
type metrics struct {
	offerOK   *prometheus.GaugeVec
	offerTook *prometheus.GaugeVec
	probes    *prometheus.CounterVec
	probed    *prometheus.GaugeVec
	inSync    *prometheus.GaugeVec
	foreign   *prometheus.GaugeVec
	checkOK   *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	network := []string{"interface"}
	m := &metrics{
		offerOK: gauges("probe_offer_ok",
			"1 where the last probe's offers to this kind of client were as desired (with dhcp.backend none: lead it to a "+
				"file), else 0.",
			append(network, "client")),
		offerTook: gauges("probe_offer_duration_seconds",
			"From the DISCOVER to the first offer in the last probe; absent where none came.",
			append(network, "client")),
		probes: counters("probes_total", "DHCP probes made, by result: ok, wrong, no_offer, error.",
			append(network, "result")),
		probed: gauges("probe_timestamp_seconds", "When the last DHCP probe ended, Unix time.", network),
		inSync: gauges("dhcp_in_sync",
			"1 where the last probe found that the DHCP server says what is desired (with dhcp.backend none: what leads "+
				"machines to a file), else 0.",
			network),
		foreign: gauges("foreign_servers", "DHCP servers seen in the last probe that send machines elsewhere.", network),
		checkOK: gauges("check_ok",
			"1 where the last check found this step of every machine's boot path as it should be (offer, nbp, script, files), "+
				"else 0.", append(network, "step")),
	}
	reg.MustRegister(m.offerOK, m.offerTook, m.probes, m.probed, m.inSync, m.foreign, m.checkOK)
	return m
}

const namespace = "pxeagent"

func counters(name, help string, labels []string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauges(name, help string, labels []string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// probe sets what one probe of a network found.
func (m *metrics) probe(network string, r probeResult, now time.Time) {
	m.probes.WithLabelValues(network, r.result).Inc()
	m.probed.WithLabelValues(network).Set(float64(now.UnixNano()) / 1e9)
	m.inSync.WithLabelValues(network).Set(bool01(r.result == resultOK))
	m.foreign.WithLabelValues(network).Set(float64(r.servers))
	m.offerOK.DeletePartialMatch(prometheus.Labels{"interface": network})
	m.offerTook.DeletePartialMatch(prometheus.Labels{"interface": network})
	for c := range firmware.NumClient {
		if ok, asked := r.ok[c]; asked {
			m.offerOK.WithLabelValues(network, c.String()).Set(bool01(ok))
		}
		if took, came := r.took[c]; came {
			m.offerTook.WithLabelValues(network, c.String()).Set(took.Seconds())
		}
	}
}

// path sets what a check found of a network. A step that nobody could come to is not as it should be; one that was not
// asked for, because this machine cannot ask there, has no series.
func (m *metrics) path(network string, clients []Client) {
	for _, step := range StepNames() {
		good, bad, asked := 0, 0, false
		for _, c := range clients {
			switch c.State[step] {
			case Good:
				good++
			case Bad:
				bad++
			}
			asked = asked || step != StepOffer || c.State[step] != Unknown
		}
		if asked {
			m.checkOK.WithLabelValues(network, step).Set(bool01(good > 0 && bad == 0))
		}
	}
}

// noPath notes that a network could not be checked.
func (m *metrics) noPath(network string) {
	for _, step := range StepNames() {
		m.checkOK.WithLabelValues(network, step).Set(0)
	}
}

func bool01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
