package tftp

import (
	"net/netip"
	"sync"
	"time"
)

// What addresses may be sent from which nothing proves that a machine is there: they may be forged, and then all of it
// hits someone who never asked.
const (
	// provenFor is how long an address counts as a machine's after it answered, or completed a request by HTTP.
	provenFor = time.Hour
	// barredFor is how long an address that says that it never asked is served nothing by a single port.
	barredFor = time.Minute
	// addresses is how many are remembered. Forging more only makes the oldest strangers again.
	addresses = 32 << 10

	// unansweredRate is how many bytes a second are sent, headers included, to all that have not answered yet; after
	// a pause, four times that at once: a room that is switched on.
	unansweredRate = 512 << 10
	// With a single port an answer proves nothing, so there are bounds to the bytes a second of each and of all.
	strangerRate  = 512 << 10
	strangersRate = 10_000_000
)

// strangers bounds what is sent to addresses that are not proven.
type strangers struct {
	most int // packets a minute to an address that has answered nothing

	proven marks[netip.Addr]
	barred marks[netip.Addr] // single port: ICMP said that nobody is there
	all    rate              // single port

	mu    sync.Mutex
	since time.Time
	sends map[netip.Addr]int       // packets in this minute
	next  map[netip.Addr]time.Time // single port: when more is due
}

func newStrangers(most int) *strangers {
	return &strangers{
		most: most, all: perSecond(strangersRate, strangersRate/10),
		proven: marks[netip.Addr]{keep: provenFor, most: addresses},
		barred: marks[netip.Addr]{keep: barredFor, most: addresses},
	}
}

// countedMost is how many addresses are counted. Forging more in a minute resets all counts, at the price of more
// packets than that lets one of them get.
const countedMost = 16 << 10

// allow reports whether one more packet may be sent to an address that has answered nothing, and counts it.
func (s *strangers) allow(a netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sends == nil || now.Sub(s.since) >= time.Minute || len(s.sends) >= countedMost {
		s.since, s.sends = now, make(map[netip.Addr]int)
	}
	if s.sends[a] >= s.most {
		return false
	}
	s.sends[a]++
	return true
}

// answered ends the count of an address.
func (s *strangers) answered(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sends, a)
}

// wait takes n bytes for an address, and returns how long to wait until they may be sent. Only a single port asks.
func (s *strangers) wait(a netip.Addr, n int, now time.Time) time.Duration {
	s.mu.Lock()
	if s.next == nil || len(s.next) >= countedMost {
		s.next = make(map[netip.Addr]time.Time)
	}
	at := s.next[a]
	if at.Before(now) {
		at = now
	}
	s.next[a] = at.Add(time.Duration(n) * time.Second / strangerRate)
	s.mu.Unlock()
	return max(at.Sub(now), s.all.reserve(n, now))
}
