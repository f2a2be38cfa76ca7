package tftp

import (
	"net/netip"
	"sync"
	"time"
)

// windows remembers the networks whose queues do not hold the windows that their machines ask for.
type windows struct {
	mu    sync.Mutex
	known map[netip.Prefix]windowLimit
}

// windowLimit is the largest window that a network is granted.
type windowLimit struct {
	window int
	until  time.Time
}

const (
	windowsKept = 10 * time.Minute // after the last transfer that lost some of a flight
	windowsMost = 1024             // networks
)

// networkOf is what a client shares its link with, as far as its address tells.
func networkOf(client netip.Addr) netip.Prefix {
	bits := 24
	if client.Is6() {
		bits = 64
	}
	p, _ := client.WithZone("").Prefix(bits)
	return p
}

// limit is the largest window to be granted.
func (w *windows) limit(network netip.Prefix, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l, ok := w.known[network]; ok && now.Before(l.until) {
		return l.window
	}
	return maxWindow
}

// learn takes what became of a transfer's windows.
func (w *windows) learn(network netip.Prefix, s *sender, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.known[network]
	switch {
	case s.lost > 0:
		l = windowLimit{window: max(1, s.size/2), until: now.Add(windowsKept)}
	case ok && s.size == l.window && s.finished():
		l.window = min(2*l.window, maxWindow)
	default:
		return
	}
	if w.known == nil || len(w.known) >= windowsMost && !ok {
		w.known = make(map[netip.Prefix]windowLimit)
	}
	w.known[network] = l
}
