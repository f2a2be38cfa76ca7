package tftp

import (
	"errors"
	"fmt"
	"time"

	"pxeagent/agent/boot"
)

const (
	// firstWait is how long an answer to the last of them is waited for: UEFI asks again after 4 s.
	firstWait = 5 * time.Second
	// lastWait is how long the last ACK is waited for. Clients that have all they wanted tend to be gone.
	lastWait = 5 * time.Second
)

var (
	errSilent   = errors.New("the client went silent")
	errGone     = errors.New("the client closed its port")
	errUnclear  = errors.New("the client closed its port after the only block; its ACK may be lost")
	errReplaced = errors.New("the client began another request from the same port")
	errEvicted  = errors.New("the client did not answer, and its place was needed")
	errBlind    = errors.New("the client acknowledged a block that was not sent: its address may be forged")
)

// happening is a kind of event.
type happening int

const (
	begins      happening = iota // the file is open, and options were granted
	came                         // a packet of the client
	passes                       // time
	asksAgain                    // the client sent its request again
	asksElse                     // the client asks for something else from the same port
	evicts                       // the transfer's place is needed
	stops                        // the server is stopping
	unreachable                  // ICMP says that nobody has the client's port
	tooLarge                     // ICMP, or the system, says that a packet was too large for the path
	ends                         // the file turned out to end with a block
)

// event is what happens to a transfer.
type event struct {
	what  happening
	reply reply // came
	block int64 // ends
}

// output is what is to be done about an event.
type output struct {
	packets packets
	failure string        // to be sent in an ERROR, unless empty
	due     time.Duration // when an event passes is wanted, unless another comes before
	outcome boot.Outcome  // empty while the transfer goes on
	err     error         // why, where the outcome is not OK or SizeProbe
}

// session is the protocol of one transfer, from the first packet to the outcome. It knows no socket, file or clock.
type session struct {
	sender
	tsize   bool          // the size was sent to the client
	strict  bool          // an ACK of a block that was not sent ends the transfer
	blind   bool          // answers prove nothing: all of the file must be acknowledged
	silence time.Duration // how long a client that has answered may be silent
	heardAt time.Duration // when the client was heard of last
}

// newSession is a transfer on these terms of a file whose last block is last, 0 if that is not known yet.
func newSession(t terms, last int64, silence time.Duration) session {
	return session{sender: newSender(t, last), tsize: t.tsize, silence: silence}
}

// step is the protocol: what is to be done when something happens, that long after the transfer's beginning.
func (s session) step(e event, now time.Duration) (session, output) {
	var out output
	switch e.what {
	case begins:
		out.packets = s.start(now)
	case came:
		out = s.take(e.reply, now)
	case passes:
		switch {
		case now >= s.giveUp():
			out.outcome, out.err = s.over(boot.TimedOut, errSilent)
		case now >= s.deadline():
			out.packets = s.timeout(now)
		}
	case asksAgain:
		out.packets = s.asked(now)
	case asksElse:
		out.outcome, out.err = boot.Aborted, errReplaced
		if s.probing() {
			out.outcome, out.err = boot.SizeProbe, nil
		}
	case evicts:
		out.outcome, out.err = boot.TimedOut, errEvicted
	case stops:
		out.failure, out.outcome, out.err = "the server is stopping", boot.Failed, errStopping
	case unreachable:
		err := errGone
		if s.last == 1 && s.finishing() {
			err = errUnclear
		}
		out.outcome, out.err = s.over(boot.Aborted, err)
	case tooLarge:
		out.packets = s.lostAll(now)
	case ends:
		s.ends(e.block)
	}
	out.due = min(s.deadline(), s.giveUp())
	return s, out
}

// take handles a packet of the client.
func (s *session) take(r reply, now time.Duration) (out output) {
	switch r.op {
	case opERROR:
		s.hear()
		s.heardAt = now
		if s.probing() && (r.number == codeUndefined || r.number == codeOption) {
			out.outcome = boot.SizeProbe
			return out
		}
		out.outcome, out.err = boot.Aborted, fmt.Errorf("the client sent error %d, %q", r.number, r.text)
	case opACK:
		if s.strict && s.ahead(r.number) {
			out.outcome, out.err = boot.Aborted, errBlind
			return out
		}
		var v verdict
		if out.packets, v = s.ack(r.number, now); v != stale {
			s.heardAt = now
		}
		if s.finished() {
			out.outcome = boot.OK
		}
	}
	return out
}

// giveUp is when the transfer is over unless the client is heard of.
func (s *session) giveUp() time.Duration {
	if !s.heard {
		return s.latest + firstWait
	}
	patience := s.silence
	if s.finishing() && s.acked == s.last-1 {
		patience = min(patience, lastWait)
	}
	return s.heardAt + patience
}

// probing: the size was sent to the client, which has not yet said that it wants the file.
func (s *session) probing() bool { return s.oack && s.tsize }

// over is the end of a transfer whose client is not there any more. If only the answer to the end of the file is
// missing, that one was lost and the client has gone with all it wanted; it does not wait as long as the server could.
func (s *session) over(o boot.Outcome, err error) (boot.Outcome, error) {
	if s.finishing() && s.heard && !s.blind {
		return boot.OK, nil
	}
	return o, err
}
