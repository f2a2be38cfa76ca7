package agent

import (
	"cmp"
	"net/netip"
	"sync"
	"time"

	"pxeagent/agent/boot"
)

const (
	// onwardTime is how long after a machine was sent to its own disk it is sent on.
	onwardTime  = time.Minute
	onwardLimit = 4096 // machines that are remembered
)

// onward remembers machines that were sent to their own disk. UEFI firmware does that by going on to its next boot
// entry, and that may be its other way to the network: HTTP after PXE. Such a machine is sent on at once, as nobody
// waits at its menu a second time. One that comes by a way that it came before was switched off and on, or found
// nothing on its disk, and is shown the menu. The zero onward is ready; it may be used from many goroutines.
type onward struct {
	mu sync.Mutex
	by map[string]*trip // by MAC, else by address
}

// trip is how a machine came, and where it was sent.
type trip struct {
	way  boot.Proto // by which its firmware fetched a boot file last
	came time.Time
	used map[boot.Proto]bool // ways that led to the disk
	sent time.Time           // to its disk; zero: it was not
}

// onwardKeys are what a machine is known by, the most certain first: its MAC, as the neighbour table has it, or else by
// its own word, and its address.
func onwardKeys(mac, told string, addr netip.Addr) []string {
	keys := []string{addr.Unmap().String()}
	if mac = cmp.Or(mac, told); mac != "" {
		keys = append([]string{mac}, keys...)
	}
	return keys
}

// arrived takes note that a machine's firmware has a boot file.
func (o *onward) arrived(keys []string, way boot.Proto, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.find(keys)
	if t == nil {
		t = &trip{}
		o.room(now)
	}
	t.way, t.came = way, now
	for _, k := range keys {
		o.by[k] = t
	}
}

// sentToDisk takes note that a machine goes on to its own disk.
func (o *onward) sentToDisk(keys []string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.find(keys)
	if t == nil {
		return
	}
	if t.used == nil || now.Sub(t.sent) > onwardTime {
		t.used = map[boot.Proto]bool{}
	}
	t.used[t.way], t.sent = true, now
	for _, k := range keys {
		o.by[k] = t
	}
}

// goesOn reports whether a machine that asks for a menu now is on its way to its disk.
func (o *onward) goesOn(keys []string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.find(keys)
	return t != nil && !t.sent.IsZero() && now.Sub(t.sent) <= onwardTime && t.came.After(t.sent) && !t.used[t.way]
}

func (o *onward) find(keys []string) *trip {
	for _, k := range keys {
		if t := o.by[k]; t != nil {
			return t
		}
	}
	return nil
}

// room forgets those that came too long ago, and where there are none all of them.
func (o *onward) room(now time.Time) {
	if o.by != nil && len(o.by) < onwardLimit {
		return
	}
	for k, t := range o.by {
		if now.Sub(t.came) > onwardTime {
			delete(o.by, k)
		}
	}
	if o.by == nil || len(o.by) >= onwardLimit {
		o.by = map[string]*trip{}
	}
}
