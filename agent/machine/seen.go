package machine

import (
	"net/netip"
	"sync"
	"time"

	"pxeagent/agent/boot"
)

const (
	seenLimit = 4096           // machines that are remembered
	seenTime  = 12 * time.Hour // an installation takes no longer; an address may then be another machine's
)

// seen remembers what the machine at an address told when it asked for a script last. The zero seen is ready.
type seen struct {
	mu sync.Mutex
	by map[netip.Addr]told
}

type told struct {
	facts        boot.Facts
	network      string // the MAC that the network had at this address then
	contradicted bool   // by the network
	at           time.Time
}

func (s *seen) put(a netip.Addr, t told) {
	a = a.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[netip.Addr]told{}
	}
	if _, known := s.by[a]; !known && len(s.by) >= seenLimit {
		s.forget(t.at)
	}
	s.by[a] = t
}

// forget makes room: what is too old goes, or else what is oldest.
func (s *seen) forget(now time.Time) {
	var oldest netip.Addr
	for a, t := range s.by {
		if now.Sub(t.at) > seenTime {
			delete(s.by, a)
		} else if !oldest.IsValid() || t.at.Before(s.by[oldest].at) {
			oldest = a
		}
	}
	if len(s.by) >= seenLimit {
		delete(s.by, oldest)
	}
}

// at is what the machine at a told; the zero told where it did not, or too long ago.
func (s *seen) at(a netip.Addr, now time.Time) told {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.by[a.Unmap()]
	if now.Sub(t.at) > seenTime {
		return told{}
	}
	return t
}

// introduced reports whether a machine told this MAC as its own, and the network had it at its address.
func (s *seen) introduced(mac string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.by {
		if t.facts.MAC == mac && t.network == mac && now.Sub(t.at) <= seenTime {
			return true
		}
	}
	return false
}
