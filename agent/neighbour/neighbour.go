// Package neighbour tells the MAC of an address on this machine's own networks, from the kernel's neighbour table.
package neighbour

import (
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	// pause is how often the table is read at most for addresses that are in it, for all callers together.
	pause = 250 * time.Millisecond
	// recent is how long an address counts for the MAC that had it. Linux keeps an entry that nobody uses for as long as
	// it has room, which is days; the lease may be another machine's by then.
	recent = 10 * time.Minute
)

// Table remembers the kernel's neighbour table. It may be used from many goroutines.
type Table struct {
	read func() ([]entry, error)
	log  *slog.Logger

	mu        sync.Mutex
	at        time.Time // of the last reading
	macs      map[netip.Addr]string
	addresses map[string]int           // recent IPv4 addresses of a MAC
	missing   map[netip.Addr]time.Time // when an address was last looked for in vain, within pause
}

// entry is one address of the kernel's table.
type entry struct {
	addr netip.Addr
	mac  string        // "52:54:00:12:34:56"
	age  time.Duration // since it was last confirmed; 0 where the kernel does not say
}

// New is a table that has not been read yet. log may not be nil.
func New(log *slog.Logger) *Table {
	return &Table{read: read, log: log, missing: map[netip.Addr]time.Time{}}
}

// MAC is the Ethernet address that has an IP address, "" where that is not known: it is on another network, say. What
// is said is at most 250 ms old.
func (t *Table) MAC(a netip.Addr) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) >= pause {
		t.refresh()
	}
	return t.macs[plain(a)]
}

// Holder is MAC, and how many IPv4 addresses that MAC has had here within the last ten minutes. More than one is a
// router with proxy ARP or a bridge that hides the machines behind it; or one machine whose firmware, iPXE and
// installer were each given a lease. IPv6 addresses do not count: every machine has several of them by design. An
// address that is not known is looked up in the kernel's table at once, and again after 250 ms: who asks from a new
// address is not taken for a machine that is elsewhere, and one behind a router does not cost a reading a request.
func (t *Table) Holder(a netip.Addr) (mac string, addresses int) {
	a = plain(a)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stale(a) && !a.IsLoopback() {
		t.refresh()
	}
	mac, known := t.macs[a]
	if !known {
		t.missing[a] = t.at
	}
	return mac, t.addresses[mac]
}

// stale reports whether what is known of an address is too old.
func (t *Table) stale(a netip.Addr) bool {
	if _, known := t.macs[a]; known {
		return time.Since(t.at) >= pause
	}
	return time.Since(t.missing[a]) >= pause
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// refresh reads the kernel's table. A table that cannot be read is empty.
func (t *Table) refresh() {
	entries, err := t.read()
	if err != nil && t.at.IsZero() {
		t.log.Info("machines that do not tell their MAC are known by their address", "err", err)
	}
	t.at, t.macs, t.addresses = time.Now(), make(map[netip.Addr]string, len(entries)), map[string]int{}
	maps.DeleteFunc(t.missing, func(_ netip.Addr, at time.Time) bool { return t.at.Sub(at) >= pause })
	for _, e := range entries {
		if e.addr.IsLoopback() {
			continue
		}
		t.macs[e.addr] = e.mac
		if e.addr.Is4() && e.age <= recent {
			t.addresses[e.mac]++
		}
	}
}
