package recorder

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

// Config is what a Recorder is made of. All but Neighbour, Wants, Name, Event and Log may be zero.
type Config struct {
	Keep        int           // how many boots are kept; 0: 1000
	MaxAge      time.Duration // how long, since their end; 0: for ever
	Stall       time.Duration // how long a machine may ask for nothing; 0: five minutes
	MenuTimeout time.Duration // of the menu; 0: it waits for ever
	Webhook     Webhook
	State       string // folder of the store and of the control socket; "": boots are in memory only
	// LoopsBroken: a request of iPXE for an NBP is answered with the script.
	LoopsBroken bool
	Except      []netip.Prefix // whose loops are not broken all the same
	Native      bool           // histograms are native ones, and no classic ones

	// Neighbour, Wants and Name are those of boot.TrackerConfig. They are called from one goroutine.
	Neighbour func(netip.Addr) string
	Wants     func(kernel string) []string
	Name      func(f boot.Facts, addr netip.Addr, kernel string) boot.Named
	// Own reports a request that did not come from a machine; nil: all did. Called from many goroutines.
	Own func(*boot.Ask) bool
	// Event is called with each thing that happened, from one goroutine.
	Event   func(Event)
	Metrics prometheus.Registerer
	Guard   *guard.Guard // ends a request that panics; nil: nothing does
	Log     *slog.Logger
}

// Event is a boot that ended, or a machine that loops. One of the two is set.
type Event struct {
	Ended  *boot.Boot
	Loop   *boot.Loop
	Remedy string // what a person can do about Loop
}
