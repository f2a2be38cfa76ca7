package tftp

import (
	"net/netip"
	"sync"
	"time"
)

// unproven bounds what is sent to addresses that have answered nothing, as they may be forged, and then all of it hits
// someone who never asked. An address that answers is forgotten: it is there.
type unproven struct {
	most int // packets to an address in a minute

	mu    sync.Mutex
	since time.Time
	sends map[netip.Addr]int
}

// unprovenMost is how many addresses are counted. Forging more in a minute resets all counts, at the
// price of more packets than that lets one of them get.
const unprovenMost = 16 << 10

// allow reports whether one more packet may be sent, and counts it.
func (u *unproven) allow(a netip.Addr, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sends == nil || now.Sub(u.since) >= time.Minute || len(u.sends) >= unprovenMost {
		u.since, u.sends = now, make(map[netip.Addr]int)
	}
	if u.sends[a] >= u.most {
		return false
	}
	u.sends[a]++
	return true
}

func (u *unproven) forget(a netip.Addr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.sends, a)
}
