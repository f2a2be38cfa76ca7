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
	"pxeagent/agent/guard"
)

const (
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
	sender   sender
	source   *source
	oack     []byte
	batch    *batch // where the window is more than 1
	lastSize int    // payload of the file's last block
	sendErr  error  // of the last send
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

// restarted reports whether the client, which has sent the same request again, must have been restarted.
func (t *transfer) restarted(now time.Time) bool {
	return t.answered.Load() && now.Sub(t.end.Start)-time.Duration(t.heard.Load()) > asksAnew
}

func (t *transfer) start() {
	t.server.running.Add(1)
	go t.run()
}

func (t *transfer) run() {
	defer t.server.running.Done()
	defer t.server.table.remove(t)
	t.server.guarded(func() {
		t.server.Observer.Begin(t.end.Ask)
		t.end.Outcome = boot.Failed // if it panics
		t.end.Err = t.server.Guard.Do(guard.TFTP, func() (err error) {
			t.end.Outcome, err = t.serve()
			return err
		})
		t.over.Store(true)
		t.end.Quirks = append(slices.Clip(t.end.Quirks), t.oddities()...)
		t.server.finish(t.end)
	})
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
	if f.Close != nil {
		defer f.Close()
	}
	var file io.ReaderAt = f
	size := f.Size
	if t.netascii {
		file, size = newNetascii(f), -1
	}
	network := networkOf(t.end.Client.Addr())
	t.terms = negotiate(t.options, size, t.limit, t.server.windows.limit(network, t.end.Start))
	t.source = newSource(file, size, t.terms)
	t.source.changed = f.Changed
	defer t.source.release()
	last := int64(0)
	if size >= 0 {
		last = size/int64(t.terms.blksize) + 1
	}
	t.sender = newSender(t.terms, last)
	if len(t.terms.oack) > 0 {
		t.oack = appendOACK(nil, t.terms.oack)
	}
	if t.terms.window > 1 {
		t.batch = newBatch(t.terms.window)
		defer func() { t.server.windows.learn(network, &t.sender, time.Now()) }()
	}
	return t.exchange()
}

// now is the time as sender counts it.
func (t *transfer) now() time.Duration { return time.Since(t.end.Start) }

// exchange sends until all is acknowledged or nothing more is to be hoped for.
func (t *transfer) exchange() (boot.Outcome, error) {
	defer func() { t.end.Resent = t.sender.resent }()
	bad := 0
	if outcome, err := t.send(t.sender.start(t.now())); outcome != "" {
		return outcome, err
	}
	for {
		due, giveUp := t.sender.deadline(), t.giveUp()
		due = min(due, giveUp)
		t.link.arm(t.end.Start.Add(due))
		// After arm: a signal that is not seen here wakes the read below.
		if t.signals.Load() != 0 {
			if outcome, err := t.signalled(); outcome != "" {
				return outcome, err
			}
			continue
		}
		n, err := t.link.read(t.in[:])
		now := t.now()
		var outcome boot.Outcome
		switch {
		case err == nil:
			bad = 0
			outcome, err = t.take(parseReply(t.in[:n]), now)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if now < due {
				continue // armed for an earlier time, or woken
			}
			if now >= giveUp {
				return t.silent()
			}
			outcome, err = t.send(t.sender.timeout(now))
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

// giveUp is when the transfer is over unless the client is heard of.
func (t *transfer) giveUp() time.Duration {
	if !t.answered.Load() {
		return t.sender.latest + firstWait
	}
	patience := t.server.Silence
	if t.sender.finishing() && t.sender.acked == t.sender.last-1 {
		patience = min(patience, lastWait)
	}
	return time.Duration(t.heard.Load()) + patience
}

func (t *transfer) hear(now time.Duration) {
	t.heard.Store(int64(now))
	if !t.answered.Load() {
		t.answered.Store(true)
		t.server.unproven.forget(t.key.client.Addr())
	}
}

// take handles a packet from the client. The outcome is empty while the transfer goes on.
func (t *transfer) take(r reply, now time.Duration) (boot.Outcome, error) {
	switch r.op {
	case opERROR:
		t.hear(now)
		err := fmt.Errorf("the client sent error %d, %q", r.number, r.text)
		if t.probing() && (r.number == codeUndefined || r.number == codeOption) {
			return boot.SizeProbe, nil
		}
		return boot.Aborted, err
	case opACK:
		p, verdict := t.sender.ack(r.number, now)
		if verdict != stale {
			t.hear(now)
		}
		t.end.Bytes = t.arrived()
		if t.sender.finished() {
			return boot.OK, nil
		}
		return t.send(p)
	}
	return "", nil
}

// probing: the size was sent to the client, which has not yet said that it wants the file.
func (t *transfer) probing() bool { return t.sender.oack && t.terms.tsize }

// arrived is the number of payload bytes that were acknowledged.
func (t *transfer) arrived() int64 {
	if t.sender.finished() {
		return (t.sender.last-1)*int64(t.terms.blksize) + int64(t.lastSize)
	}
	return t.sender.acked * int64(t.terms.blksize)
}

// signalled handles signals from other goroutines.
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
	case s&sigAgain != 0:
		return t.send(t.sender.asked(t.now()))
	}
	return "", nil
}

// silent is the end of a transfer whose client no longer answers. If only the answer to the end of the file
// is missing, that one was lost and the client has gone with all it wanted; it does not wait as long as the server
// could.
func (t *transfer) silent() (boot.Outcome, error) {
	if t.sender.finishing() && t.answered.Load() {
		return boot.OK, nil
	}
	if t.sendErr != nil {
		return boot.TimedOut, fmt.Errorf("%w; the last send: %w", errSilent, t.sendErr)
	}
	return boot.TimedOut, errSilent
}

// gone is the end of a transfer whose client has closed its port.
func (t *transfer) gone() (boot.Outcome, error) {
	if t.sender.finishing() && t.answered.Load() {
		return boot.OK, nil
	}
	return boot.Aborted, errGone
}
