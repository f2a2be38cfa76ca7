package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/tftp"
)

// tftpLoad tells how the TFTP server copes with more requests than it may answer.
func tftpLoad(s *tftp.Server) []prometheus.Collector {
	count := func(name, help string, of func(tftp.Load) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help},
			func() float64 { return float64(of(s.Load())) })
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "tftp_waiting_requests",
			Help: "TFTP requests that wait for their turn, as there are more than may be answered.",
		}, func() float64 { return float64(s.Load().Waiting) }),
		count("tftp_dropped_requests_total",
			"TFTP requests that got no answer: they waited in vain, an ERROR was withheld, their address is served nothing "+
				"for now, or the system dropped them unread (Linux).",
			func(l tftp.Load) uint64 { return l.Dropped }),
		count("tftp_unreported_requests_total",
			"TFTP requests from addresses that did not answer, which are counted nowhere else as there were too many.",
			func(l tftp.Load) uint64 { return l.Unreported }),
	}
}
