package tftp

import (
	"container/heap"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

const (
	// badReads is how many errors in a row a transfer's socket may give.
	badReads = 100
	// rounds is how many times packets that are there already are taken before what was put off is done.
	rounds = 64
)

// loop runs all transfers: it reads their packets, has session say what is to be done, sends and arms timers. It never
// waits for a disk: chunks of files come as messages.
type loop struct {
	server *Server
	poller *poller
	cache  *cache
	start  time.Time // that timers count from
	timers timers
	out    [maxSend + headerLen]byte // where packets are put together
	taken  []message
	turned time.Time // when those who wait had a turn

	mu     sync.Mutex
	inbox  []message
	asleep bool
	closed bool
}

// message is what another goroutine tells the loop.
type message struct {
	t     *transfer
	what  happening
	chunk *chunk // was read, with err; t and what mean nothing
	order uint64 // what t may send, see transfer.checked; 0: nothing was checked
	err   error
	n     int // of packet
	// packet is one of t's client, of which only the beginning matters.
	packet [64]byte
}

func packetFor(t *transfer, b []byte, err error) message {
	m := message{t: t, what: came, err: err}
	m.n = copy(m.packet[:], b)
	return m
}

func newLoop(s *Server) (*loop, error) {
	l := &loop{server: s, start: time.Now()}
	l.cache = newCache(&s.contents, s.Guard, s.workers.do, func(ch *chunk, err error) { l.post(message{chunk: ch, err: err}) })
	var err error
	l.poller, err = newPoller(l.post)
	return l, err
}

// post hands a message to the loop, from any goroutine.
func (l *loop) post(m message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inbox = append(l.inbox, m)
	if l.asleep {
		l.asleep = false
		l.poller.wake() // under the lock, as there is no poller any more when run is over
	}
}

// close ends run. All transfers must be over.
func (l *loop) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.poller.wake()
}

// run handles what comes until close is called.
func (l *loop) run() {
	defer l.poller.close()
	for round := 0; ; round++ {
		l.mu.Lock()
		l.taken, l.inbox = l.inbox, l.taken[:0]
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return
		}
		for i := range l.taken {
			l.told(&l.taken[i])
			l.taken[i] = message{}
		}
		wait := l.expire()
		if l.server.table.waits.Load() > 0 {
			if now := time.Now(); now.Sub(l.turned) >= turns {
				l.turned = now
				l.server.workers.flush() // makes room
				l.server.table.turn(now, l.server.revived)
			}
			wait = min(wait, turns)
		}
		busy := l.poller.look(l.received)
		if !busy || round%rounds == 0 {
			l.server.workers.flush()
		}
		if busy {
			continue
		}
		l.mu.Lock()
		if l.asleep = len(l.inbox) == 0 && wait > 0; !l.asleep {
			wait = 0
		}
		l.mu.Unlock()
		l.poller.wait(wait, l.received)
		l.mu.Lock()
		l.asleep = false
		l.mu.Unlock()
	}
}

// told handles a message.
func (l *loop) told(m *message) {
	switch {
	case m.chunk != nil:
		for _, t := range l.cache.loaded(m.chunk, m.err) {
			t.waits--
			l.resume(t, m.err)
		}
	case m.order > 0:
		m.t.checked, m.t.checking = m.order, false
		l.resume(m.t, m.err)
	case m.t == nil: // there are requests that wait
	case m.what == came:
		l.received(m.t, m.packet[:m.n], m.err)
	default:
		l.happens(m.t, event{what: m.what})
	}
}

// received handles a packet of t's client, or an error of its socket.
func (l *loop) received(t *transfer, b []byte, err error) {
	switch {
	case err == nil:
		t.bad = 0
		l.happens(t, event{what: came, reply: parseReply(b)})
	case errors.Is(err, syscall.ECONNREFUSED):
		l.happens(t, event{what: unreachable})
	case errors.Is(err, syscall.EMSGSIZE):
		l.happens(t, event{what: tooLarge}) // the system knows the path's MTU from now on, and makes fragments
	default:
		// ARP without an answer, a route that is missing: the cable may be back in a moment.
		if t.bad++; t.bad > badReads && t.phase == active {
			l.end(t, boot.Failed, fmt.Errorf("reading from the client: %w", err))
		}
	}
}

// happens handles what happened to t. A panic ends t, and nothing else.
func (l *loop) happens(t *transfer, e event) {
	switch t.phase {
	case opening:
		switch e.what {
		case begins:
		case asksElse, evicts, stops:
			t.early = e.what // it ends as soon as it begins
			return
		default:
			return
		}
	case ended:
		return
	}
	l.guarded(t, func() {
		if e.what == begins {
			l.begin(t)
			if t.phase == ended {
				return
			}
		}
		var out output
		t.session, out = t.session.step(e, t.now())
		l.act(t, out)
	})
}

func (l *loop) guarded(t *transfer, f func()) {
	if err := l.server.Guard.Do(guard.TFTP, func() error { f(); return nil }); err != nil && t.phase == active {
		l.end(t, boot.Failed, err)
	}
}

// begin takes t, whose file is open.
func (l *loop) begin(t *transfer) {
	t.phase = active
	t.content.sends++
	switch err := l.poller.add(t); {
	case err != nil:
		l.end(t, boot.Failed, err)
	case t.early != begins:
		var out output
		t.session, out = t.session.step(event{what: t.early}, t.now())
		l.act(t, out)
	}
}

// act does what step wants.
func (l *loop) act(t *transfer, out output) {
	t.hear()
	if out.failure != "" {
		t.sendError(codeUndefined, out.failure)
	}
	if out.outcome != "" {
		if errors.Is(out.err, errSilent) && t.sendErr != nil {
			out.err = fmt.Errorf("%w; the last send: %w", out.err, t.sendErr)
		}
		l.end(t, out.outcome, out.err)
		return
	}
	t.due = out.due
	if out.packets != (packets{}) {
		l.send(t, out.packets)
	}
	l.arm(t)
}

// end is the end of t.
func (l *loop) end(t *transfer, o boot.Outcome, err error) {
	t.phase = ended
	t.over.Store(true)
	t.end.Outcome, t.end.Err = o, err
	t.end.Bytes, t.end.Resent = t.arrived(), t.session.resent
	l.poller.remove(t)
	t.wire.close()
	l.cache.let(t)
	if t.content.sends--; t.content.sends == 0 {
		l.cache.forget(t.content)
	}
	if t.terms.window > 1 {
		l.server.windows.learn(networkOf(t.end.Client.Addr()), &t.session.sender, time.Now())
	}
	if t.place > 0 {
		heap.Remove(&l.timers, t.place-1)
	}
	l.server.workers.later(t.finish)
}

// arm leaves a timer alone that comes sooner: it is then set again. With answers that come in time it is so set once in
// many packets, and not for each.
func (l *loop) arm(t *transfer) {
	if t.phase != active || t.stuck() {
		return
	}
	due := t.soonest()
	at := t.end.Start.Sub(l.start) + due
	switch {
	case due == never:
	case t.place == 0:
		t.at = at
		heap.Push(&l.timers, t)
	case at < t.at:
		t.at = at
		heap.Fix(&l.timers, t.place-1)
	}
}

// expire handles the timers that have run out, and returns how long it is until the next.
func (l *loop) expire() time.Duration {
	for len(l.timers) > 0 {
		now := time.Since(l.start)
		t := l.timers[0]
		if t.at > now {
			return t.at - now
		}
		heap.Pop(&l.timers)
		switch due := t.end.Start.Sub(l.start) + t.soonest(); {
		case t.stuck(): // armed again when what it waits for is there
		case due > now:
			l.arm(t)
		case t.after > 0:
			t.after, t.waited = 0, true
			l.resume(t, nil)
		default:
			l.happens(t, event{what: passes})
		}
	}
	return time.Hour
}

// timers are transfers by when something is due.
type timers []*transfer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, k int) bool { return h[i].at < h[k].at }
func (h timers) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].place, h[k].place = i+1, k+1
}

func (h *timers) Push(x any) {
	t := x.(*transfer)
	*h = append(*h, t)
	t.place = len(*h)
}

func (h *timers) Pop() any {
	t := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	t.place = 0
	return t
}
