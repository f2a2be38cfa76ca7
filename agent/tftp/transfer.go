package tftp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"pxeagent/agent/boot"
)

const (
	// firstSends is how often the first packet, OACK or DATA 1, is sent to a client that never answered. Its address may be
	// forged, and then this is what the victim gets for one request of the forger.
	firstSends = 4
	// firstWait is how long an answer to the last of them is waited for: UEFI asks again after 4 s.
	firstWait = 5 * time.Second
	// lastWait is how long the last ACK is waited for. Clients that have all they wanted tend to be gone.
	lastWait = 5 * time.Second
	// badReads is how many errors in a row a socket may give.
	badReads = 100
)

// What others tell a transfer.
const (
	sigAgain    = 1 << iota // the client sent its request again
	sigReplaced             // the client asks for something else from the same port
	sigEvicted              // its place is needed
	sigStop                 // the server stops
)

var (
	errSilent   = errors.New("the client went silent")
	errGone     = errors.New("the client closed its port")
	errReplaced = errors.New("the client began another request from the same port")
	errEvicted  = errors.New("the client did not answer, and its place was needed")
)

// transfer is a request that was admitted.
type transfer struct {
	server *Server
	key    key
	raw    string // the request as it came
	request
	limit int // bytes of payload that fit a packet

	next *transfer // takes this one's place; the table's

	link     link
	linked   atomic.Bool // link is set
	signals  atomic.Uint32
	answered atomic.Bool  // the client has sent something to this transfer: its address is not forged
	heard    atomic.Int64 // when it did last, in nanoseconds after the start
	over     atomic.Bool
	asked    atomic.Bool // the client has sent its request again

	// The rest belongs to the transfer's own goroutine.
	terms    terms
	source   *source
	win      window
	timer    resend
	oack     []byte // not acknowledged yet, else nil
	batch    *batch // where the window is more than 1
	sentAt   time.Time
	once     bool  // what is under way was sent just once
	sends    int   // of the first packet
	high     int64 // the highest block ever sent
	last     int64 // the file's last block, 0 if not known
	lastSize int   // its payload
	sendErr  error // of the last send
	in       [512]byte
	end      boot.Transfer // Ask, Artifact and Start are set from the beginning
}

// attach gives t its link.
func (t *transfer) attach(l link) { t.link = l; t.linked.Store(true) }

// signal tells t something, from any goroutine.
func (t *transfer) signal(s uint32) {
	t.signals.Or(s)
	if t.linked.Load() {
		t.link.wake()
	}
}

// restarted reports whether the client, which has sent the same request again, must have been started anew.
func (t *transfer) restarted(now time.Time) bool {
	return t.answered.Load() && now.Sub(t.end.Start)-time.Duration(t.heard.Load()) > asksAnew
}

func (t *transfer) start() {
	t.server.running.Add(1)
	go t.run()
}

func (t *transfer) run() {
	defer t.server.running.Done()
	t.server.Observer.Begin(t.end.Ask)
	t.end.Outcome, t.end.Err = t.serve()
	t.over.Store(true)
	t.end.Quirks = append(slices.Clip(t.end.Quirks), t.oddities()...)
	t.server.finish(t.end)
	t.server.table.remove(t)
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

// serve opens the file and sends it.
func (t *transfer) serve() (boot.Outcome, error) {
	if t.link == nil {
		l, err := dial(t.end.Local, t.end.Client)
		if err != nil {
			return boot.Failed, err
		}
		t.attach(l)
	}
	defer t.link.close()
	f, err := t.server.Opener.Open(t.end.Ask)
	if f != nil {
		t.end.Artifact, t.end.LoopBroken, t.end.Quirks = f.Artifact, f.LoopBroken, f.Quirks
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
	if f.Close != nil {
		defer f.Close()
	}
	var file io.ReaderAt = f
	size := f.Size
	if t.netascii {
		file, size = newNetascii(f), -1
	}
	t.terms = negotiate(t.options, size, t.limit)
	t.source = newSource(file, size, t.terms)
	defer t.source.release()
	t.win.size = t.terms.window
	t.timer = newResend(t.terms.timeout)
	if len(t.terms.oack) > 0 {
		t.oack = appendOACK(nil, t.terms.oack)
	}
	if t.win.size > 1 {
		t.batch = newBatch(t.win.size)
	}
	return t.exchange()
}

// exchange sends until all is acknowledged or nothing more is to be hoped for.
func (t *transfer) exchange() (boot.Outcome, error) {
	now := time.Now()
	bad := 0
	if outcome, err := t.send(now); outcome != "" {
		return outcome, err
	}
	for {
		due, giveUp := t.due(), t.giveUp()
		if due.After(giveUp) {
			due = giveUp
		}
		t.link.arm(due)
		// After arm: a signal that is not seen here wakes the read below.
		if t.signals.Load() != 0 {
			if outcome, err := t.signalled(); outcome != "" {
				return outcome, err
			}
			continue
		}
		n, err := t.link.read(t.in[:])
		now = time.Now()
		var outcome boot.Outcome
		switch {
		case err == nil:
			bad = 0
			outcome, err = t.take(parseReply(t.in[:n]), now)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if now.Before(due) {
				continue // armed for an earlier time, or woken
			}
			if !now.Before(giveUp) {
				return t.silent()
			}
			outcome, err = t.sendAgain(now)
		case errors.Is(err, syscall.ECONNREFUSED):
			return t.gone()
		default:
			// ARP without an answer, a route that is missing: the cable may be back in a moment.
			if bad++; bad > badReads {
				return boot.Failed, fmt.Errorf("reading from the client: %w", err)
			}
			continue
		}
		if outcome != "" {
			return outcome, err
		}
	}
}

// due is when what is under way counts as lost.
func (t *transfer) due() time.Time {
	if !t.answered.Load() && t.sends >= firstSends {
		return t.giveUp()
	}
	return t.sentAt.Add(t.timer.wait())
}

// giveUp is when the transfer is over unless the client is heard of.
func (t *transfer) giveUp() time.Time {
	if !t.answered.Load() {
		return t.sentAt.Add(max(t.timer.wait(), firstWait))
	}
	patience := t.server.Silence
	if t.finishing() {
		patience = min(patience, lastWait)
	}
	return t.end.Start.Add(time.Duration(t.heard.Load()) + patience)
}

// finishing: the file's last block is under way.
func (t *transfer) finishing() bool { return t.oack == nil && t.last > 0 && t.win.sent == t.last }

func (t *transfer) hear(now time.Time) {
	t.heard.Store(int64(now.Sub(t.end.Start)))
	if !t.answered.Load() {
		t.answered.Store(true)
		t.timer.doubled = 0
	}
}

// take handles a packet from the client. The outcome is empty while the transfer goes on.
func (t *transfer) take(r reply, now time.Time) (boot.Outcome, error) {
	switch {
	case r.op == opERROR:
		t.hear(now)
		err := fmt.Errorf("the client sent error %d, %q", r.number, r.text)
		if t.probing() && (r.number == codeUndefined || r.number == codeOption) {
			return boot.SizeProbe, nil
		}
		return boot.Aborted, err
	case r.op != opACK:
		return "", nil
	case t.oack != nil:
		if r.number != 0 {
			return "", nil
		}
		t.oack = nil
		return t.proceed(now)
	}
	switch t.win.ack(r.number) {
	case progress:
		t.end.Bytes = t.arrived()
		if t.win.acked == t.last {
			t.hear(now)
			return boot.OK, nil
		}
		return t.proceed(now)
	case repeated:
		t.hear(now)
		// In a window it tells that the next block was lost. Else it answers a packet that came twice, and an answer to it
		// would double every packet from here on (RFC 1123 section 4.2.3.1), unless the client has waited for so long
		// that it must be asking.
		if t.win.size > 1 && !t.win.again || now.Sub(t.sentAt) >= t.timer.base() {
			t.win.again = true
			t.once = false
			return t.send(now)
		}
	case stale:
	}
	return "", nil
}

// probing: the client was told the size, and has not yet said that it wants the file.
func (t *transfer) probing() bool { return t.oack != nil && t.terms.tsize }

// arrived is the number of payload bytes that were acknowledged.
func (t *transfer) arrived() int64 {
	if t.win.acked == t.last {
		return (t.last-1)*int64(t.terms.blksize) + int64(t.lastSize)
	}
	return t.win.acked * int64(t.terms.blksize)
}

// proceed sends what comes next, after an answer to what was under way.
func (t *transfer) proceed(now time.Time) (boot.Outcome, error) {
	if t.once {
		t.timer.sample(now.Sub(t.sentAt))
	}
	t.hear(now)
	// What was sent twice is acknowledged twice: UEFI answers each block that it did not wait for. Taken for a loss, the second ACK would
	// have this flight sent twice as well, and so on to the end of the file.
	twice := !t.once
	t.once = !t.win.again
	t.win.again = t.win.again || twice
	return t.send(now)
}

// sendAgain is for when no answer came.
func (t *transfer) sendAgain(now time.Time) (boot.Outcome, error) {
	t.once = false
	t.timer.doubled++
	if !t.answered.Load() {
		t.timer.doubled++ // 0, 50, 250, 1050 ms, spread over what a bad moment of the network may last
	}
	return t.send(now)
}

// signalled handles what others told.
func (t *transfer) signalled() (boot.Outcome, error) {
	s := t.signals.Swap(0)
	switch {
	case s&sigStop != 0:
		t.sendError(codeUndefined, "the server is stopping")
		return boot.Failed, errStopping
	case s&sigReplaced != 0 && t.probing():
		return boot.SizeProbe, nil
	case s&sigReplaced != 0:
		return boot.Aborted, errReplaced
	case s&sigEvicted != 0:
		return boot.TimedOut, errEvicted
	case s&sigAgain != 0 && !t.answered.Load():
		t.once = false
		return t.send(time.Now())
	}
	return "", nil
}

// silent is the end of a transfer whose client no longer answers. If only the answer to the end of the file
// is missing, that one was lost and the client has gone with all it wanted; it does not wait as long as the server could.
func (t *transfer) silent() (boot.Outcome, error) {
	if t.finishing() && t.answered.Load() {
		return boot.OK, nil
	}
	if t.sendErr != nil {
		return boot.TimedOut, fmt.Errorf("%w; the last send: %w", errSilent, t.sendErr)
	}
	return boot.TimedOut, errSilent
}

// gone is the end of a transfer whose client has closed its port.
func (t *transfer) gone() (boot.Outcome, error) {
	if t.finishing() && t.answered.Load() {
		return boot.OK, nil
	}
	return boot.Aborted, errGone
}
