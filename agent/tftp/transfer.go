package tftp

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

// phase is how far a transfer is.
type phase int

const (
	opening phase = iota // its file, in a goroutine of its own
	active               // by the loop
	ended
)

// transfer is a request that was admitted.
type transfer struct {
	server *Server
	key    key
	raw    string // the request as it came
	request
	device int // MTU of the interface that it came by; 0: not known

	stranger bool // its address was not proven to be a machine's when it asked
	limited  bool // it is a single port's, whose answers prove nothing
	begun    bool // the Observer hears of it: at once, or in a flood when its client has answered

	next         *transfer // takes this one's place; the table's
	older, newer *transfer // among those whose clients owe an answer; the table's

	answered atomic.Bool  // the client has sent something to this transfer: its address is not forged
	heard    atomic.Int64 // when it did last, in nanoseconds after the start
	over     atomic.Bool
	asked    atomic.Bool // the client has sent its request again

	// What follows is the opening goroutine's, then the loop's.
	wire    wire
	content *content
	terms   terms
	session session
	oack    []byte
	size    int64         // of the file, negative if not known yet
	end     boot.Transfer // Ask, Artifact and Start are set from the beginning

	phase   phase
	early   happening     // that ends t, while the file was opened; begins: nothing
	due     time.Duration // when something is to be done, as session counts
	at      time.Duration // when the loop's timer runs out
	place   int           // among the timers, from 1; 0: none
	bad     int           // errors in a row
	sendErr error         // of the last send
	after   time.Duration // not before then may unsent be sent, as too much was; 0: at any time
	waited  bool          // that time is over

	unsent   packets  // wait for chunks
	held     []*chunk // what they, or those being sent, are made of
	waits    int      // how many of them are not read yet
	checking bool     // the file is looked at for changes
	checked  uint64   // chunks that were read up to then belong to one file: their order
}

// restarted reports whether the client, which has sent the same request again, must have been restarted.
func (t *transfer) restarted(now time.Time) bool {
	return t.answered.Load() && now.Sub(t.end.Start)-time.Duration(t.heard.Load()) > asksAnew
}

// tell has something happen to t, from any goroutine.
func (t *transfer) tell(h happening) { t.server.loop.post(message{t: t, what: h}) }

func (t *transfer) start() {
	t.server.running.Add(1)
	t.server.workers.do(t.open)
}

// open opens the file and a socket, and hands t to the loop.
func (t *transfer) open() {
	if t.begun {
		t.server.guarded(func() { t.server.Observer.Begin(&t.end.Ask) })
	}
	t.end.Outcome = boot.Failed // if it panics
	err := t.server.Guard.Do(guard.TFTP, func() (err error) {
		t.end.Outcome, err = t.prepare()
		return err
	})
	if err == nil {
		t.tell(begins)
		return
	}
	t.end.Err = err
	t.over.Store(true)
	if t.wire != nil {
		t.wire.close()
	}
	t.finish()
}

// prepare opens what t needs, and tells the client why it cannot.
func (t *transfer) prepare() (boot.Outcome, error) {
	if t.wire == nil {
		w, err := dial(t.end.Local, t.end.Client)
		if err != nil {
			return boot.Failed, err
		}
		t.wire = w
	}
	f, err := t.server.Opener.Open(t.end.Ask)
	if f != nil {
		t.end.Artifact, t.end.Given, t.end.LoopBroken, t.end.Quirks = f.Artifact, f.Given, f.LoopBroken, f.Quirks
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.sendError(codeNotFound, "file not found")
		return boot.NotFound, err
	case errors.Is(err, fs.ErrPermission):
		t.sendError(codeAccess, "access violation")
		return boot.Refused, err
	case err != nil:
		t.sendError(codeUndefined, "the file cannot be read")
		return boot.Failed, err
	}
	t.content = t.server.contents.open(f, t.netascii)
	t.size = t.content.size
	window := t.server.windows.limit(networkOf(t.end.Client.Addr()), t.end.Start)
	if t.limited {
		window = 1
	}
	t.terms = negotiate(t.options, t.size, t.largest(), window)
	last := int64(0)
	if t.size >= 0 {
		last = t.size/int64(t.terms.blksize) + 1
	}
	t.session = newSession(t.terms, last, t.server.Silence)
	t.session.strict, t.session.blind = t.server.SinglePort, t.limited
	if len(t.terms.oack) > 0 {
		t.oack = appendOACK(nil, t.terms.oack)
	}
	return "", nil
}

// largest is the largest block that may be sent.
func (t *transfer) largest() int {
	if most := t.server.MaxBlksize; most > 0 {
		return min(max(most, minBlksize), maxBlksize)
	}
	return largestBlock(cmp.Or(t.wire.mtu(), t.device), t.end.Client.Addr())
}

// finish tells of t's end and makes room for another.
func (t *transfer) finish() {
	s := t.server
	defer s.running.Done()
	defer s.table.remove(t)
	if t.content != nil {
		s.contents.release(t.content)
	}
	t.end.Quirks = append(slices.Clip(t.end.Quirks), t.oddities()...)
	switch addr := t.key.client.Addr(); {
	case t.end.Outcome == boot.OK:
		s.strangers.proven.add(addr, time.Now())
	case t.limited && errors.Is(t.end.Err, errGone) && !t.nearlyDone():
		s.strangers.barred.add(addr, time.Now()) // it never asked
	}
	if !t.begun {
		s.unreported.Add(1)
		return
	}
	s.guarded(func() { s.finish(t.end) })
}

// nearlyDone: all but the last block were acknowledged, without a word by ICMP. A client that is gone then had that one
// too, and its last ACK was lost.
func (t *transfer) nearlyDone() bool {
	got := t.arrived()
	return got > 0 && t.size >= 0 && t.size-got <= int64(t.terms.blksize)
}

// oddities are those in how the client asked.
func (t *transfer) oddities() (quirks []boot.Quirk) {
	if t.asked.Load() {
		quirks = append(quirks, boot.AskedAgain)
	}
	if t.end.Outcome == boot.SizeProbe {
		quirks = append(quirks, boot.ProbedSize)
	}
	return quirks
}

// now is the time as session counts it.
func (t *transfer) now() time.Duration { return time.Since(t.end.Start) }

// headers are those of IP and UDP in a packet.
const headers = 20 + 8

// cost is what t's client is sent at least before it answers, in bytes.
func (t *transfer) cost() int {
	if len(t.options) == 0 {
		return headers + headerLen + defaultSize
	}
	return headers + len(t.raw)
}

// soonest is when something is to be done for t, as session counts.
func (t *transfer) soonest() time.Duration {
	if t.after > 0 {
		return t.after
	}
	return t.due
}

// stuck: what t is to send next waits for the file. No time passes for it until then.
func (t *transfer) stuck() bool { return t.waits > 0 || t.checking }

// hear lets others know what the session knows of the client.
func (t *transfer) hear() {
	if !t.session.heard {
		return
	}
	t.heard.Store(int64(t.session.heardAt))
	if !t.answered.Load() {
		t.answered.Store(true)
		t.end.Answered = true
		t.server.table.answered(t)
		t.server.strangers.answered(t.key.client.Addr())
		if !t.server.SinglePort {
			t.server.strangers.proven.add(t.key.client.Addr(), time.Now())
		}
		if !t.begun {
			t.begun = true
			t.server.guarded(func() { t.server.Observer.Begin(&t.end.Ask) })
		}
	}
}

// arrived is the number of payload bytes that were acknowledged.
func (t *transfer) arrived() int64 {
	n := t.session.acked * int64(t.terms.blksize)
	if t.size >= 0 {
		n = min(n, t.size)
	}
	return n
}

// transmit sends packets of size bytes, the last of which may be shorter, unless too many were sent to an address that
// may be forged. All errors but one are as if the packets were lost: a firewall, a queue that is full, an address
// without an ARP answer. It reports whether t goes on.
func (l *loop) transmit(t *transfer, b []byte, size int) bool {
	if !t.answered.Load() && !l.server.strangers.allow(t.key.client.Addr(), time.Now()) {
		return true
	}
	t.sendErr = t.wire.send(b, size)
	if errors.Is(t.sendErr, syscall.ECONNREFUSED) {
		l.happens(t, event{what: unreachable})
	}
	return t.phase == active
}

// sendError tells the client, once: RFC 1350 section 7 has it neither acknowledged nor sent again.
func (t *transfer) sendError(code uint16, text string) {
	b := appendError(make([]byte, 0, 64), code, text)
	t.sendErr = t.wire.send(b, len(b))
}
