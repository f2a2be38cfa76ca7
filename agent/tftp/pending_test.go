package tftp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// requestOf is the request of client i.
func requestOf(i int) (netip.AddrPort, string) {
	client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 2070)
	return client, string(rrq("undionly.kpxe", "octet", "blksize=1432 tsize=0"))
}

func TestRequestsThatWait(t *testing.T) {
	now := time.Now()
	p := newPending(now)
	at := place{local: netip.MustParseAddrPort("10.77.0.1:69")}
	push := func(i int) {
		client, raw := requestOf(i)
		p.push(at, client, raw, false, now)
	}
	next := func() string {
		c, ok := p.next(now)
		if !ok {
			return "none"
		}
		if want, text := requestOf(int(c.client.Addr().As4()[3])); c.place != at || c.client != want || c.raw != text {
			t.Errorf("%+v came out", c)
		}
		return fmt.Sprint(c.client.Addr().As4()[3])
	}
	order := func(want string) {
		t.Helper()
		var got []string
		for p.len() > 0 {
			got = append(got, next())
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("in the order %q, want %q", text, want)
		}
	}
	client, raw := requestOf(3)
	p.strike(client, raw, now)
	for _, i := range []int{1, 2, 3, 4, 5, 4, 4, 3, 1} {
		push(i)
	}
	client, raw = requestOf(9)
	p.push(at, client, raw, true, now) // of a machine that is known
	order("4 1 9 2 5 3")               // who asks again, or is known; who asks first; who did not answer
	push(1)
	now = now.Add(pendingFor + time.Second)
	push(2)
	if got := next(); got != "2" || p.len() != 0 {
		t.Errorf("%s comes after one that has waited too long", got)
	}
	long, raw := requestOf(1)
	p.push(at, long, raw+strings.Repeat("x", pendingRaw), false, now)
	if p.len() != 0 {
		t.Error("a request that is too long waits")
	}
	if p.dropped != 2 {
		t.Errorf("%d counted as dropped, want 2", p.dropped)
	}
	push(2)
	push(1) // which was dropped
	order("1 2")
}

// A forger makes the server remember 128 bytes for a request, and no more than so many.
func TestRequestsThatWaitCostLittle(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	now := time.Now()
	p := newPending(now)
	for i := range pendingMost {
		client, raw := requestOf(i)
		p.push(place{}, client, raw, false, now)
	}
	if each := float64(heap()-before) / pendingMost; p.len() != pendingMost || each > 128 {
		t.Errorf("%d wait, with %.0f bytes each", p.len(), each)
	}
	for i := range 1000 { // the oldest goes
		client, raw := requestOf(pendingMost + i)
		p.push(place{}, client, raw, false, now)
	}
	if c, ok := p.next(now); !ok || p.len() != pendingMost-1 || c.client.Addr().As4() != [4]byte{10, 0, 3, 232} {
		t.Errorf("%d wait, the first is of %v", p.len(), c.client)
	}
	if p.dropped != 1000 {
		t.Errorf("%d counted as dropped, want 1000", p.dropped)
	}
	runtime.KeepAlive(&p)
}

// A machine that found no room is known when it asks again after 4 s, though 50,000 others have asked in each second.
func TestDroppedRequestsAreRemembered(t *testing.T) {
	const machines, others = 1000, 200_000
	p := newPending(time.Now())
	at := func(i int) uint32 { return 5000 + uint32(i/50) }
	for i := range machines + others {
		p.missed.add(p.hash(requestOf(i)), at(i))
	}
	known, last := 0, at(machines+others)
	for i := range machines {
		if p.missed.has(p.hash(requestOf(i)), last) {
			known++
		}
	}
	if known < machines*95/100 {
		t.Errorf("%d of %d machines are known", known, machines)
	}
	if p.missed.has(p.hash(requestOf(machines+others)), last) {
		t.Error("one that has not asked is known")
	}
	if p.missed.has(p.hash(requestOf(machines+others-1)), last+uint32(hashesKept.Milliseconds())) {
		t.Error("one is known after more than a minute")
	}
}

// plainPending is what pending should do, without a thought of what it costs.
type plainPending struct {
	now            time.Time
	queues         [3][]plainRequest
	missed, struck map[int]time.Time
	dropped        uint64
}

type plainRequest struct {
	id    int // -1: gone
	since time.Time
}

func (p *plainPending) find(id int) (rank, i int, ok bool) {
	for rank, q := range p.queues {
		for i := range q {
			if q[i].id == id {
				return rank, i, true
			}
		}
	}
	return 0, 0, false
}

func (p *plainPending) recently(m map[int]time.Time, id int) bool {
	at, ok := m[id]
	return ok && p.now.Sub(at) < hashesKept
}

func (p *plainPending) drop(id int) {
	if id >= 0 {
		p.dropped++
		p.missed[id] = p.now
	}
}

func (p *plainPending) push(id int, first bool) {
	was, i, waits := p.find(id)
	rank := asksFirst
	switch {
	case first:
		rank = askedAgain
	case p.recently(p.struck, id):
		rank = unanswered
	case waits || p.recently(p.missed, id):
		rank = askedAgain
	}
	if waits {
		if rank == unanswered || was == askedAgain {
			return
		}
		p.queues[was][i].id = -1
	}
	if q := p.queues[rank]; len(q) == pendingMost {
		p.drop(q[0].id)
		p.queues[rank] = q[1:]
	}
	p.queues[rank] = append(p.queues[rank], plainRequest{id, p.now})
}

func (p *plainPending) next() int {
	for rank := range p.queues {
		for len(p.queues[rank]) > 0 {
			r := p.queues[rank][0]
			p.queues[rank] = p.queues[rank][1:]
			if r.id >= 0 && p.now.Sub(r.since) < pendingFor {
				return r.id
			}
			p.drop(r.id)
		}
	}
	return -1
}

func (p *plainPending) len() (n int) {
	for _, q := range p.queues {
		for _, r := range q {
			if r.id >= 0 {
				n++
			}
		}
	}
	return n
}

// Whatever is asked in which order, requests have their turns as in a plain model.
func FuzzPending(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		start := time.Now()
		p := newPending(start)
		model := plainPending{now: start, missed: map[int]time.Time{}, struck: map[int]time.Time{}}
		at := place{local: netip.MustParseAddrPort("10.77.0.1:69")}
		// The first requests have the last positions before those are 0 again.
		for rank := range p.queues {
			p.queues[rank].head, p.queues[rank].tail = 1<<32-50, 1<<32-50
		}
		for range 20 {
			// Now many push, now many have their turns; of few or of many machines.
			machines, turns := 1+r.IntN(4*pendingMost), r.IntN(2)*r.IntN(100)
			for range r.IntN(pendingMost) {
				model.now = model.now.Add(time.Duration(r.IntN(4)) * time.Millisecond)
				id := r.IntN(machines)
				client, raw := requestOf(id)
				switch n := r.IntN(100); {
				case n < turns:
					want := model.next()
					c, ok := p.next(model.now)
					if client, _ := requestOf(want); ok != (want >= 0) || ok && c.client != client {
						t.Fatalf("%v has its turn, want machine %d", c.client, want)
					}
				case n == 99:
					model.struck[id] = model.now
					p.strike(client, raw, model.now)
				default:
					model.push(id, n == 98)
					p.push(at, client, raw, n == 98, model.now)
				}
			}
			if p.len() != model.len() || p.dropped != model.dropped {
				t.Fatalf("%d wait and %d were dropped, want %d and %d", p.len(), p.dropped, model.len(), model.dropped)
			}
			model.now = model.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
		}
	})
}
