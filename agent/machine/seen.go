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
	facts boot.Facts
	at    time.Time
}

func (s *seen) put(a netip.Addr, f boot.Facts, now time.Time) {
	a = a.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[netip.Addr]told{}
	}
	if _, known := s.by[a]; !known && len(s.by) >= seenLimit {
		s.forget(now)
	}
	s.by[a] = told{f, now}
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

// at is what the machine at a told; the zero Facts where it did not, or too long ago.
func (s *seen) at(a netip.Addr, now time.Time) boot.Facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.by[a.Unmap()]
	if now.Sub(t.at) > seenTime {
		return boot.Facts{}
	}
	return t.facts
}
