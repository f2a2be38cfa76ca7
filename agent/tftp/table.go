package tftp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// key names a transfer: the client's TID and the socket that it asked at. RFC 1350 has the server's TID as
// well, but a client does not know that when it asks again.
type key struct {
	sock   *socket
	client netip.AddrPort
}

// table holds the transfers that run, and the requests that wait for their turn.
type table struct {
	mu        sync.Mutex
	running   map[key]*transfer
	perClient map[netip.Addr]int
	most      int
	mostEach  int
	closed    bool

	pending pending
	waits   atomic.Int32 // requests that wait
	dropped atomic.Uint64
	// unheard are the transfers whose clients have not answered: a ring in which unheard.newer began first.
	unheard transfer
	budget  rate         // of bytes to clients that have not answered
	evicted atomic.Int64 // when one was last, in nanoseconds of Unix time
}

// admission is what became of a request.
type admission int

const (
	added  admission = iota
	same             // as one whose transfer runs: the client asks again, or the network doubled the packet
	waits            // until it is its turn
	full             // its address has too many
	silent           // not to be served for now
	closing
)

const (
	// asksAnew is how long a client must be silent before its request, sent again in the same words from the same port,
	// is a new one: the machine was restarted. Intel's ROM always asks from 2070 and 2071.
	asksAnew = time.Second
	// owes is how long a client may owe its first answer before it can lose its place to another.
	owes = 200 * time.Millisecond
	// Of the requests that wait so many have their turn at once, and that often: 2,000 a second. More would only be
	// more for a forger, and take the time of those who have answered.
	turnsOf = 8
	turns   = 4 * time.Millisecond
)

func (tb *table) init(most, mostEach int) {
	tb.running, tb.perClient = make(map[key]*transfer), make(map[netip.Addr]int)
	tb.most, tb.mostEach = most, mostEach
	tb.pending = newPending(time.Now())
	tb.unheard.newer, tb.unheard.older = &tb.unheard, &tb.unheard
	tb.budget = perSecond(unansweredRate, 4*unansweredRate)
}

// add starts t, or hands its request to the transfer that runs for it already, or has it wait. A client that asks for
// something else from the same port has given up the old transfer, which ends; t starts after it.
func (tb *table) add(t *transfer) admission {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	now := t.end.Start
	if tb.closed {
		return closing
	}
	if old := tb.running[t.key]; old != nil {
		if old.raw == t.raw && old.end.Local == t.end.Local && !old.over.Load() && !old.restarted(now) {
			old.asked.Store(true)
			old.tell(asksAgain)
			return same
		}
		old.next = t
		old.tell(asksElse)
		return added
	}
	addr := t.key.client.Addr()
	if tb.perClient[addr] >= tb.mostEach {
		return full
	}
	if t.stranger && t.server.SinglePort && !tb.alone(t, now) {
		return silent
	}
	if (t.stranger && tb.pending.len() > 0) || !tb.room(now) || t.stranger && !tb.budget.allow(t.cost(), now) {
		tb.pending.push(place{t.key.sock, t.end.Local, t.device}, t.key.client, t.raw, !t.stranger, now)
		tb.dropped.Store(tb.pending.dropped)
		if tb.waits.Swap(int32(tb.pending.len())) == 0 {
			t.server.loop.post(message{what: passes}) // which has turns from now on
		}
		return waits
	}
	tb.begin(t)
	return added
}

// begin starts t.
func (tb *table) begin(t *transfer) {
	tb.running[t.key] = t
	tb.perClient[t.key.client.Addr()]++
	tb.owe(t)
	t.start()
}

// turn starts requests that have waited, as many as there is room for now.
func (tb *table) turn(now time.Time, made func(place, netip.AddrPort, string) *transfer) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for started := 0; started < turnsOf && !tb.closed && tb.pending.len() > 0 && tb.room(now) && tb.budget.allow(0, now); {
		c, ok := tb.pending.next(now)
		if !ok {
			break
		}
		switch {
		case tb.running[key{c.sock, c.client}] != nil:
			continue // its client has begun another transfer from the same port, and is answered
		case tb.perClient[c.client.Addr()] >= tb.mostEach:
			tb.pending.drop(c, tb.pending.clock(now))
			continue
		}
		t := made(c.place, c.client, c.raw)
		tb.budget.reserve(t.cost(), now)
		tb.begin(t)
		started++
	}
	tb.waits.Store(int32(tb.pending.len()))
	tb.dropped.Store(tb.pending.dropped)
}

// room makes room where there is none, at the cost of the transfer whose client has owed its first answer the longest:
// most likely the address was forged. It reports whether there is room.
func (tb *table) room(now time.Time) bool {
	if len(tb.running) < tb.most {
		return true
	}
	t := tb.unheard.newer
	if t == &tb.unheard || now.Sub(t.end.Start) <= owes {
		return false
	}
	tb.forget(t)
	t.tell(evicts)
	tb.evicted.Store(now.UnixNano())
	return true
}

// evictedLately: the client of a transfer that was evicted may still send, and is answered with silence.
func (tb *table) evictedLately(now time.Time) bool {
	return now.UnixNano()-tb.evicted.Load() < int64(time.Minute)
}

// alone reports whether t may be the only transfer of its address. Another whose client has been silent is over: the
// machine was restarted.
func (tb *table) alone(t *transfer, now time.Time) bool {
	addr := t.key.client.Addr()
	if tb.perClient[addr] == 0 {
		return true
	}
	for k, other := range tb.running {
		if k.client.Addr() == addr {
			if now.Sub(other.end.Start)-time.Duration(other.heard.Load()) <= asksAnew {
				return false
			}
			other.tell(asksElse)
		}
	}
	return true
}

// owe puts t last among those whose clients owe an answer.
func (tb *table) owe(t *transfer) {
	t.older, t.newer = tb.unheard.older, &tb.unheard
	t.older.newer, t.newer.older = t, t
}

// paid takes t out of them.
func (tb *table) paid(t *transfer) {
	if t.older != nil {
		t.older.newer, t.newer.older = t.newer, t.older
		t.older, t.newer = nil, nil
	}
}

// answered is for when t's client has answered.
func (tb *table) answered(t *transfer) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.paid(t)
}

func (tb *table) forget(t *transfer) {
	tb.paid(t)
	delete(tb.running, t.key)
	addr := t.key.client.Addr()
	if tb.perClient[addr]--; tb.perClient[addr] == 0 {
		delete(tb.perClient, addr)
	}
}

// remove takes out t, whose transfer is over, and starts the one that waits for its place.
func (tb *table) remove(t *transfer) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if !t.answered.Load() {
		tb.pending.strike(t.key.client, t.raw, time.Now())
	}
	if tb.running[t.key] != t {
		return // evicted
	}
	next := t.next
	tb.forget(t)
	if next != nil && !tb.closed {
		tb.begin(next)
	}
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

// close lets no more in, and nothing wait any more.
func (tb *table) close() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.closed = true
	tb.pending = newPending(time.Now())
	tb.waits.Store(0)
}
