package neighbour

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
)

// known are the states in which the kernel has an entry's MAC (linux/neighbour.h): reachable, stale, delay, probe and
// permanent.
const known = 0x02 | 0x04 | 0x08 | 0x10 | 0x80

// tick is the unit of an entry's ages: USER_HZ is 100 on every platform that Go runs on.
const tick = 10 * time.Millisecond

// read is the kernel's neighbour table, IPv4 and IPv6. Anyone may read it.
func read() ([]entry, error) {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("asking for the neighbour table: %w", err)
	}
	defer conn.Close()
	messages, err := conn.Neigh.List()
	if err != nil {
		return nil, fmt.Errorf("reading the neighbour table: %w", err)
	}
	var entries []entry
	for _, m := range messages {
		if e, ok := entryOf(m); ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// entryOf is false for what has no Ethernet address.
func entryOf(m rtnetlink.NeighMessage) (e entry, ok bool) {
	a := m.Attributes
	if m.State&known == 0 || a == nil || len(a.LLAddress) != 6 {
		return entry{}, false
	}
	addr, ok := netip.AddrFromSlice(a.Address)
	e = entry{addr: addr.Unmap(), mac: a.LLAddress.String()}
	if a.CacheInfo != nil {
		// An entry that came from the machine's own ARP request has been updated and never confirmed.
		e.age = time.Duration(min(a.CacheInfo.Confirmed, a.CacheInfo.Updated)) * tick
	}
	return e, ok && e.mac != "00:00:00:00:00:00"
}
