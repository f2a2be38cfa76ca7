package tftp

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// path is a simulated network between the server and its clients.
type path struct {
	rate  int           // bits a second in each direction; 0: no limit
	delay time.Duration // round trip
	queue int           // bytes that wait before the link to the clients, 0: any number
	loss  float64       // chance of a packet to be lost, either way
	twice bool          // each ACK comes twice
	lag   time.Duration // the client looks at its card as often as that
}

const (
	overhead = headerLen + 8 + 20 + 14 // of a block on Ethernet
	ackSize  = 60
)

// simulation runs senders against receivers in a time of its own.
type simulation struct {
	path
	chance *rand.Rand
	now    time.Duration
	comes  queued
	made   int
	down   time.Duration // when the link to the clients is free
	up     time.Duration
}

type occurrence struct {
	at time.Duration
	n  int // those of the same time are taken in the order in which they were made
	do func()
}

type queued []occurrence

func (e queued) Len() int { return len(e) }
func (e queued) Less(i, k int) bool {
	return e[i].at < e[k].at || e[i].at == e[k].at && e[i].n < e[k].n
}
func (e queued) Swap(i, k int) { e[i], e[k] = e[k], e[i] }
func (e *queued) Push(x any)   { *e = append(*e, x.(occurrence)) }
func (e *queued) Pop() any     { x := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return x }

func (s *simulation) at(t time.Duration, do func()) {
	s.made++
	heap.Push(&s.comes, occurrence{max(t, s.now), s.made, do})
}

// deliver carries a packet over a link that is free at *free.
func (s *simulation) deliver(free *time.Duration, size, queue int, do func()) {
	begin := max(*free, s.now)
	if s.rate > 0 {
		if waiting := int((begin - s.now).Seconds() * float64(s.rate) / 8); queue > 0 && waiting+size > queue {
			return
		}
		*free = begin + s.sending(size)
		begin = *free
	}
	if s.chance.Float64() < s.loss {
		return
	}
	s.at(begin+s.delay/2, do)
}

func (s *simulation) sending(size int) time.Duration {
	if s.rate == 0 {
		return 0
	}
	return time.Duration(size * 8 * int(time.Second) / s.rate)
}

// receiver is a client that acknowledges as EDK2 does: a whole window, the last block, and whatever it does not
// expect. If it has sent nothing for 4 s it repeats its ACK, five times.
type receiver struct {
	sim     *simulation
	sender  *sender
	last    int64 // block
	blksize int
	window  int

	has, acked int64
	retries    int
	sentAt     time.Duration
	armed      int
	done       time.Duration // when it had the file
	failed     bool
	packets    int // blocks sent to it
	t          *testing.T
}

func (r *receiver) begin() {
	r.sent(r.sender.start(r.sim.now))
	r.retry()
}

// sent takes what the sender sends.
func (r *receiver) sent(p packets) {
	r.t.Helper()
	s := r.sim
	if p.oack {
		s.deliver(&s.down, ackSize, s.queue, func() { r.ack() })
	}
	for i := range p.count {
		b := p.from + int64(i)
		if b <= r.sender.acked || b > r.sender.acked+int64(r.window) || b > r.last {
			r.t.Fatalf("block %d is sent after %d of %d, window %d", b, r.sender.acked, r.last, r.window)
		}
		r.packets++
		size := r.blksize
		if b == r.last {
			size = 0
		}
		s.deliver(&s.down, size+overhead, s.queue, func() { r.later(func() { r.take(b) }) })
	}
	r.arm()
}

// later is when the client looks at its card.
func (r *receiver) later(do func()) {
	if r.sim.lag == 0 {
		do()
		return
	}
	r.sim.at(r.sim.now.Truncate(r.sim.lag)+r.sim.lag, do)
}

func (r *receiver) arm() {
	r.armed++
	mine := r.armed
	d := r.sender.deadline()
	if d == never {
		return
	}
	r.sim.at(d, func() {
		if mine == r.armed && r.done == 0 && !r.failed {
			r.sent(r.sender.timeout(r.sim.now))
		}
	})
}

func (r *receiver) take(b int64) {
	if b == r.has+1 {
		r.has++
		if r.has-r.acked < int64(r.window) && r.has < r.last {
			return
		}
	}
	r.retries = 0
	if r.has == r.last && r.done == 0 {
		r.done = r.sim.now
	}
	r.ack()
}

func (r *receiver) ack() {
	s := r.sim
	r.acked, r.sentAt = r.has, s.now
	number := uint16(r.has)
	for range 1 + boolInt(s.twice) {
		s.deliver(&s.up, ackSize, 0, func() {
			if r.sender.finished() {
				return
			}
			p, _ := r.sender.ack(number, s.now)
			r.sent(p)
		})
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// retry repeats the ACK when the client has sent nothing for 4 s.
func (r *receiver) retry() {
	r.sim.at(r.sentAt+4*time.Second, func() {
		switch {
		case r.done > 0 || r.failed:
			return
		case r.sim.now-r.sentAt < 4*time.Second:
		case r.retries == 5:
			r.failed = true
			return
		default:
			r.retries++
			r.ack()
		}
		r.retry()
	})
}

const simulated = 706 // blocks of a UEFI iPXE

// simulate runs clients at once, each with blocks of 1468 bytes, and returns them when all have ended.
func simulate(t *testing.T, p path, window, clients int, seed uint64) []*receiver {
	t.Helper()
	s := &simulation{path: p, chance: rand.New(rand.NewPCG(seed, 1))}
	all := make([]*receiver, clients)
	for i := range all {
		snd := newSender(terms{blksize: 1468, window: window, oack: optionList("blksize=1468")}, simulated)
		all[i] = &receiver{sim: s, sender: &snd, last: simulated, blksize: 1468, window: window, t: t}
		s.at(time.Duration(i)*time.Millisecond, all[i].begin)
	}
	for steps := 0; s.comes.Len() > 0; steps++ {
		e := heap.Pop(&s.comes).(occurrence)
		s.now = e.at
		e.do()
		if steps > 20_000_000 || s.now > time.Hour {
			t.Fatalf("%+v, window %d: not finished at %v", p, window, s.now)
		}
	}
	return all
}

// ideal is the least time that a transfer can take: the bandwidth's, or that of its flights one after another.
func (p path) ideal(window int) time.Duration {
	s := simulation{path: p}
	block := s.sending(1468 + overhead)
	flights := (simulated + window - 1) / window
	return max(simulated*block, time.Duration(flights)*(p.delay+time.Duration(window)*block+s.sending(ackSize)))
}
