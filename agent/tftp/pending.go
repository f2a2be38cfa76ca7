package tftp

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// pendingMost is how many requests wait in each of the queues: 5 s of 50,000 a second. UEFI asks again after 4 s.
	pendingMost = 1 << 18
	// pendingFor is how long a request may wait. Then its client has asked again, or given up.
	pendingFor = 6 * time.Second
	// pendingRaw is the longest request that waits, without its opcode. Machines ask for an NBP in less; those that ask
	// for more have answered before, and wait for nothing.
	pendingRaw = 60
	// struckMost is how many requests that were not answered are remembered: what has a turn in a minute.
	struckMost = 1 << 17
	page       = 1 << 10 // entries
)

// waiting is a request whose turn has not come, in 88 bytes and some 36 in an index: what a forger makes the server
// remember. There is no goroutine and no descriptor for it.
type waiting struct {
	client [16]byte
	scope  uint32
	since  uint32 // milliseconds
	port   uint16
	place  uint8 // index of pending.places
	size   uint8 // of raw; 0: gone
	raw    [pendingRaw]byte
}

// place is where requests come in.
type place struct {
	sock   *socket
	local  netip.AddrPort
	device int // MTU, as in transfer
}

// pending are the requests that wait: for a place among the transfers, or since too much has been sent to addresses
// that have not answered. Who asks again is first, as who forges addresses hardly does; who had a turn and did not
// answer is last. It belongs to the table.
type pending struct {
	start  time.Time
	seed   maphash.Seed
	queues [3]queue // by rank
	index  map[uint64]uint64
	places []place
	struck marks[uint64] // requests that had a turn and were not answered

	dropped uint64 // requests that had none
}

// Ranks of requests that wait.
const (
	askedAgain = iota
	asksFirst
	unanswered
)

func newPending(now time.Time) pending {
	return pending{
		start: now, seed: maphash.MakeSeed(), index: make(map[uint64]uint64),
		struck: marks[uint64]{keep: time.Minute, most: struckMost},
	}
}

// hash names a request.
func (p *pending) hash(client netip.AddrPort, raw string) uint64 {
	return maphash.String(p.seed, raw) ^ maphash.Comparable(p.seed, client)
}

func (p *pending) len() int { return len(p.index) }

// push has a request wait. Of too many the one that has waited longest is dropped. first is for a client that is known.
func (p *pending) push(at place, client netip.AddrPort, raw string, first bool, now time.Time) {
	where, ok := p.placed(at)
	if len(raw) < 2 || len(raw)-2 > pendingRaw || !ok {
		p.dropped++
		return
	}
	h := p.hash(client, raw)
	rank := asksFirst
	switch struck := p.struck.has(h, now); {
	case first:
		rank = askedAgain
	case struck:
		rank = unanswered
	}
	if old, ok := p.index[h]; ok {
		if rank == unanswered || old&3 == askedAgain {
			return
		}
		p.queues[old&3].at(uint32(old >> 2)).size = 0
		rank = askedAgain
	}
	w := waiting{
		client: client.Addr().As16(), port: client.Port(), scope: zoneIndex(client.Addr().Zone()),
		since: uint32(now.Sub(p.start).Milliseconds()), place: where, size: uint8(len(raw) - 2),
	}
	copy(w.raw[:], raw[2:])
	q := &p.queues[rank]
	if q.tail-q.head == pendingMost {
		if _, _, _, _, ok := p.drop(q); ok {
			p.dropped++
		}
	}
	p.index[h] = uint64(q.tail)<<2 | uint64(rank)
	q.push(w)
}

// drop takes out the request that has waited longest in q, and returns it unless it is gone.
func (p *pending) drop(q *queue) (place, netip.AddrPort, string, time.Time, bool) {
	w := *q.at(q.head)
	q.head++
	if q.head == q.tail {
		q.pages = nil
	}
	if w.size == 0 {
		return place{}, netip.AddrPort{}, "", time.Time{}, false
	}
	client := netip.AddrPortFrom(netip.AddrFrom16(w.client).Unmap().WithZone(zoneName(w.scope)), w.port)
	raw := "\x00\x01" + string(w.raw[:w.size])
	delete(p.index, p.hash(client, raw))
	return p.places[w.place], client, raw, p.start.Add(time.Duration(w.since) * time.Millisecond), true
}

// next takes out the request whose turn it is.
func (p *pending) next(now time.Time) (place, netip.AddrPort, string, bool) {
	for rank := range p.queues {
		for q := &p.queues[rank]; q.head != q.tail; {
			at, client, raw, since, ok := p.drop(q)
			switch {
			case !ok:
			case now.Sub(since) < pendingFor:
				return at, client, raw, true
			default:
				p.dropped++
			}
		}
	}
	return place{}, netip.AddrPort{}, "", false
}

// placed is the index of a place, of which a machine has few.
func (p *pending) placed(at place) (uint8, bool) {
	for i := range p.places {
		if p.places[i] == at {
			return uint8(i), true
		}
	}
	if len(p.places) == 256 {
		return 0, false
	}
	p.places = append(p.places, at)
	return uint8(len(p.places) - 1), true
}

// queue is a ring of requests, in pages that are made when they are needed. Positions are counted on for ever.
type queue struct {
	pages      []*[page]waiting
	head, tail uint32
}

func (q *queue) at(i uint32) *waiting { return &q.pages[i/page%(pendingMost/page)][i%page] }

func (q *queue) push(w waiting) {
	if q.pages == nil {
		q.pages = make([]*[page]waiting, pendingMost/page)
	}
	if i := q.tail / page % (pendingMost / page); q.pages[i] == nil {
		q.pages[i] = new([page]waiting)
	}
	*q.at(q.tail) = w
	q.tail++
}
