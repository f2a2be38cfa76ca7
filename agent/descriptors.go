package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/web"
)

const (
	// ownDescriptors are kept for what is neither a transfer nor a connection: sockets, the store, probes, checks,
	// folders that are looked through.
	ownDescriptors = 128
	// mostConnections and mostTransfers are what is taken at once where the system has descriptors for more.
	mostConnections = 4096
	mostTransfers   = 4096
	// leastShare is what HTTP and TFTP have in any case.
	leastShare = 16
)

// shares divides the descriptors that the process may have between HTTP's connections and TFTP's transfers, so that
// neither takes what the other needs. Each of both has a socket and a file: two descriptors.
func shares(descriptors uint64) (connections, transfers int) {
	each := leastShare
	if descriptors > ownDescriptors {
		each = max(each, int(min(descriptors-ownDescriptors, 1<<20))/4)
	}
	return min(each, mostConnections), min(each, mostTransfers)
}

// connectionLimits are those of HTTP. One address may have half of all connections: a whole room may be behind one NAT.
func connectionLimits(total int, refused prometheus.Counter) web.Limits {
	return web.Limits{Total: total, PerAddress: total / 2, Refused: refused.Inc}
}

func newRefused() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "http_connections_refused_total",
		Help: "HTTP connections closed at once, since their address had half of all that there may be.",
	})
}
