package tftp

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// pendingMost is how many requests of a rank wait: what has its turn within 4 s, as a power of two. By then UEFI
	// has asked again, other firmware sooner, and who asks again is answered first. More would serve nobody. Of those
	// that find no room a hash is remembered, by which they are known when they ask again.
	pendingMost = 1 << 13
	// pendingFor is how long a request may wait. Then its client has asked again, or given up.
	pendingFor = 6 * time.Second
	// pendingRaw is the longest request that waits, without its opcode. Machines ask for an NBP in less; those that ask
	// for more have answered before, and wait for nothing.
	pendingRaw = 60
	// missedMost is how many requests that were dropped are remembered: 10 s of 50,000 a second.
	missedMost = 1 << 19
	// struckMost is how many requests that were not answered are remembered: what has a turn in a minute.
	struckMost = 1 << 17
)

// waiting is a request whose turn has not come, in 84 bytes and some 35 in an index: what a forger makes the server
// remember. There is no goroutine and no descriptor for it.
type waiting struct {
	client [16]byte
	since  uint32 // as clock has it
	port   uint16
	origin uint8 // index of pending.origins
	size   uint8 // of raw; 0: gone
	raw    [pendingRaw]byte
}

// place is where requests come in.
type place struct {
	sock   *socket
	local  netip.AddrPort
	device int // MTU, as in transfer
}

// origin is a place, and the zone of the clients that ask there: link-local ones have one.
type origin struct {
	place
	zone string
}

// pending are the requests that wait: for a place among the transfers, or since too much has been sent to addresses
// that have not answered. Who asks again is first, as who forges addresses hardly does; who had a turn and did not
// answer is last. It belongs to the table.
type pending struct {
	start   time.Time
	seed    maphash.Seed
	queues  [3]queue // by rank
	index   map[uint64]spot
	origins []origin
	missed  hashes // requests that were dropped
	struck  hashes // requests that had a turn and were not answered
	dropped uint64
}

// spot is where a request waits.
type spot struct {
	position uint32
	rank     uint8
}

// candidate is a request that was taken out.
type candidate struct {
	place
	client netip.AddrPort
	raw    string
	hash   uint64
	since  uint32
}

// Ranks of requests that wait.
const (
	askedAgain = iota
	asksFirst
	unanswered
)

func newPending(now time.Time) pending {
	return pending{
		start: now, seed: maphash.MakeSeed(), index: make(map[uint64]spot),
		missed: hashes{most: missedMost}, struck: hashes{most: struckMost},
	}
}

// hash names a request.
func (p *pending) hash(client netip.AddrPort, raw string) uint64 {
	return maphash.String(p.seed, raw) ^ maphash.Comparable(p.seed, client)
}

// clock is the time in milliseconds. It is 0 again after 49 days, which differences do not show.
func (p *pending) clock(now time.Time) uint32 { return uint32(now.Sub(p.start).Milliseconds()) }

func (p *pending) len() int { return len(p.index) }

// strike remembers that a request had a turn and was not answered.
func (p *pending) strike(client netip.AddrPort, raw string, now time.Time) {
	p.struck.add(p.hash(client, raw), p.clock(now))
}

// push has a request wait. Of too many the one that has waited longest is dropped. first is for a client that is known.
func (p *pending) push(at place, client netip.AddrPort, raw string, first bool, now time.Time) {
	from, ok := p.from(origin{at, client.Addr().Zone()})
	if len(raw) < 2 || len(raw)-2 > pendingRaw || !ok {
		p.dropped++
		return
	}
	h, clock := p.hash(client, raw), p.clock(now)
	old, again := p.index[h]
	rank := uint8(asksFirst)
	switch {
	case first:
		rank = askedAgain
	case p.struck.has(h, clock):
		rank = unanswered
	case again || p.missed.has(h, clock):
		rank = askedAgain
	}
	if again {
		if rank == unanswered || old.rank == askedAgain {
			return
		}
		p.queues[old.rank].at(old.position).size = 0
	}
	q := &p.queues[rank]
	if q.len() == pendingMost {
		if oldest, ok := p.pop(q); ok {
			p.drop(oldest, clock)
		}
	}
	p.index[h] = spot{q.tail, rank}
	w := waiting{
		client: client.Addr().As16(), since: clock, port: client.Port(), origin: from, size: uint8(len(raw) - 2),
	}
	copy(w.raw[:], raw[2:])
	q.push(w)
}

// pop takes out the request that has waited longest in q. It reports false where that one is gone.
func (p *pending) pop(q *queue) (candidate, bool) {
	w := q.at(q.head)
	q.head++
	if w.size == 0 {
		return candidate{}, false
	}
	from := p.origins[w.origin]
	c := candidate{
		place:  from.place,
		client: netip.AddrPortFrom(netip.AddrFrom16(w.client).Unmap().WithZone(from.zone), w.port),
		raw:    "\x00\x01" + string(w.raw[:w.size]),
		since:  w.since,
	}
	c.hash = p.hash(c.client, c.raw)
	delete(p.index, c.hash)
	return c, true
}

// drop is for a request that is not answered.
func (p *pending) drop(c candidate, clock uint32) {
	p.dropped++
	p.missed.add(c.hash, clock)
}

// next takes out the request whose turn it is.
func (p *pending) next(now time.Time) (candidate, bool) {
	clock := p.clock(now)
	for rank := range p.queues {
		for q := &p.queues[rank]; q.len() > 0; {
			c, ok := p.pop(q)
			switch {
			case !ok:
			case time.Duration(clock-c.since)*time.Millisecond < pendingFor:
				return c, true
			default:
				p.drop(c, clock)
			}
		}
	}
	return candidate{}, false
}

// from is the index of an origin. There are few: one for each address that is served, and each network interface.
func (p *pending) from(o origin) (uint8, bool) {
	if p.len() == 0 {
		p.origins = p.origins[:0] // interfaces come and go
	}
	for i := range p.origins {
		if p.origins[i] == o {
			return uint8(i), true
		}
	}
	if len(p.origins) == 256 {
		return 0, false
	}
	p.origins = append(p.origins, o)
	return uint8(len(p.origins) - 1), true
}

// queue is a ring of requests, which is made when the first one waits. Positions are counted on for ever.
type queue struct {
	ring       []waiting
	head, tail uint32
}

func (q *queue) len() int { return int(q.tail - q.head) }

func (q *queue) at(i uint32) *waiting { return &q.ring[i%pendingMost] }

func (q *queue) push(w waiting) {
	if q.ring == nil {
		q.ring = make([]waiting, pendingMost)
	}
	*q.at(q.tail) = w
	q.tail++
}
