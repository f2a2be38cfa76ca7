package tftp

import (
	"net/netip"
	"sync"
	"time"
)

// key names a transfer: the client's TID and the socket that it asked at. RFC 1350 has the server's TID as
// well, but a client does not know that when it asks again.
type key struct {
	sock   *socket
	client netip.AddrPort
}

// table holds the transfers that run.
type table struct {
	mu        sync.Mutex
	running   map[key]*transfer
	perClient map[netip.Addr]int
	most      int
	mostEach  int
	closed    bool
}

// admission is what became of a request.
type admission int

const (
	added admission = iota
	same            // as one whose transfer runs: the client asks again, or the network doubled the packet
	full
	closing
)

const (
	// asksAnew is how long a client must be silent before its request, sent again in the same words from the same port, is
	// a new one: the machine was restarted. Intel's ROM always asks from 2070 and 2071.
	asksAnew = time.Second
	// unheard is how long a client may owe its first answer before it can lose its place to another.
	unheard = 200 * time.Millisecond
)

func (tb *table) init(most, mostEach int) {
	tb.running, tb.perClient = make(map[key]*transfer), make(map[netip.Addr]int)
	tb.most, tb.mostEach = most, mostEach
}

// add starts t, or hands its request to the transfer that runs for it already. A client that asks
// for something else from the same port has given up the old transfer, which ends; t starts after it.
func (tb *table) add(t *transfer) admission {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.closed {
		return closing
	}
	if old := tb.running[t.key]; old != nil {
		if old.raw == t.raw && old.end.Local == t.end.Local && !old.over.Load() && !old.restarted(t.end.Start) {
			old.asked.Store(true)
			old.tell(asksAgain)
			return same
		}
		old.next = t
		old.tell(asksElse)
		return added
	}
	addr := t.key.client.Addr()
	if tb.perClient[addr] >= tb.mostEach || len(tb.running) >= tb.most && !tb.evict(t.end.Start) {
		return full
	}
	tb.running[t.key] = t
	tb.perClient[addr]++
	t.start()
	return added
}

// evict makes room where there is none, at the cost of a transfer whose client never answered: most likely the address
// was forged. It reports whether there is one. Which one goes is chance, so that who floods cannot choose.
func (tb *table) evict(now time.Time) bool {
	for k, t := range tb.running {
		if !t.answered.Load() && now.Sub(t.end.Start) > unheard {
			tb.forget(k)
			t.tell(evicts)
			return true
		}
	}
	return false
}

func (tb *table) forget(k key) {
	delete(tb.running, k)
	addr := k.client.Addr()
	if tb.perClient[addr]--; tb.perClient[addr] == 0 {
		delete(tb.perClient, addr)
	}
}

// remove takes out t, whose transfer is over, and starts the one that waits for its place.
func (tb *table) remove(t *transfer) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.running[t.key] != t {
		return // evicted
	}
	next := t.next
	if next == nil || tb.closed {
		tb.forget(t.key)
		return
	}
	tb.running[t.key] = next
	next.start()
}

func (tb *table) find(k key) *transfer {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.running[k]
}

// each calls f with every transfer. None is added at the same time.
func (tb *table) each(f func(*transfer)) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, t := range tb.running {
		f(t)
	}
}

// close lets no more in.
func (tb *table) close() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.closed = true
}
