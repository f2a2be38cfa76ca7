package tftp

import (
	"math"
	"time"
)

const (
	// firstSends is how often the first packet, OACK or DATA 1, is sent to a client that never answered, unless it asks
	// again. Its address may be forged, and then this is what the victim gets for one request of the forger.
	firstSends = 2
	never      = time.Duration(math.MaxInt64)
)

// sender is the protocol: what is sent, and when, as a function of what came and of the time. It knows no
// socket, file or clock. Times are counted from the beginning of the transfer.
//
// What is under way is the OACK or a flight: the window's blocks after the last acknowledged one. A receiver answers
// only a whole window, a gap or a block that it has already (RFC 7440 section 4). So after a time-out the flight's last
// block alone is sent again. Whatever was lost, to the receiver it is one of the three, and its ACK tells where to go
// on.
type sender struct {
	window
	oack  bool  // the OACK is not acknowledged yet
	last  int64 // the file's last block, 0 if not known yet
	timer resend
	pace  pace
	heard bool          // the client has answered
	sends int           // of the first packet
	least time.Duration // the shortest round trip of all, zero if there was none yet

	first, next, to int64         // of the flight: its first block, the one to be sent next, its last
	spread          time.Duration // when first was sent, from where on blocks are paced
	began           time.Duration // when what is under way was sent for the first time
	again           time.Duration // when a part of it was sent again
	latest          time.Duration // when anything was sent
	once            bool          // what will be acknowledged was sent once
	probes          int           // time-outs of this flight
	restarted       bool          // the flight was sent again as a whole
	nacks           int           // ACKs of the block before the flight
	echoes          int           // as many come of packets that the client had already
	doubled         bool          // each ACK comes twice

	resent int // packets sent again
	lost   int // times that the rest of a flight, burst blocks or all of it, was lost
}

// packets are what is to be sent: the OACK, or count blocks from block from on, or nothing.
type packets struct {
	oack  bool
	from  int64
	count int
}

func newSender(t terms, last int64) sender {
	timer := newResend(t.timeout)
	if t.window > 1 {
		timer = timer.flights() // for the OACK too: atftp ends a transfer at a second one
	}
	return sender{
		window: window{size: t.window}, oack: len(t.oack) > 0, last: last, timer: timer,
		pace: pace{most: mostSpread / time.Duration(t.window)}, once: true,
	}
}

// start begins the transfer.
func (s *sender) start(now time.Duration) packets {
	s.sends = 1
	if s.oack {
		s.began, s.latest = now, now
		return packets{oack: true}
	}
	return s.flight(now)
}

// ends tells that the file ends with that block.
func (s *sender) ends(block int64) {
	s.last = block
	s.to, s.sent, s.next = min(s.to, block), min(s.sent, block), min(s.next, block+1)
}

// finished: every block has arrived.
func (s *sender) finished() bool { return s.last > 0 && s.acked == s.last }

// finishing: the file's last block is under way.
func (s *sender) finishing() bool { return !s.oack && s.last > 0 && s.sent == s.last }

// sending: the flight is paced, and not all of it has been sent.
func (s *sender) sending() bool { return !s.oack && s.next <= s.to }

// deadline is when timeout is to be called, unless something comes before.
func (s *sender) deadline() time.Duration {
	switch {
	case s.sending():
		return s.spread + s.pace.at(s.next-s.first)
	case !s.heard && s.sends >= firstSends:
		return never
	}
	return s.latest + s.timer.wait()
}

// timeout is for when the deadline has passed.
func (s *sender) timeout(now time.Duration) packets {
	if s.sending() {
		return s.more(now)
	}
	s.timer.doubled++
	if !s.heard || s.oack || s.size == 1 {
		return s.repeat(now)
	}
	if s.probes > 0 || s.unexplained() > 0 && !s.restarted {
		return s.restart(now) // atftp answers neither a gap nor a block that it has
	}
	return s.probe(now)
}

// probe sends the last block of a flight again, for the ACK that it draws.
func (s *sender) probe(now time.Duration) packets {
	s.probes++
	s.echoes = 0 // they would have come by now
	s.nacks = s.expected()
	s.once, s.again, s.latest = false, now, now
	s.resent++
	return packets{from: s.to, count: 1}
}

// repeat sends again what is under way, which is one packet.
func (s *sender) repeat(now time.Duration) packets {
	s.once, s.again, s.latest = false, now, now
	s.probes++
	s.resent++
	if !s.heard {
		s.sends++
	}
	if s.oack {
		return packets{oack: true}
	}
	return packets{from: s.acked + 1, count: 1}
}

// asked answers a client that has sent its request again.
func (s *sender) asked(now time.Duration) packets {
	if s.heard {
		return packets{}
	}
	return s.repeat(now)
}

// ack takes the block number of an ACK, and returns what is to be sent, and what the ACK meant. When the file is
// finished there is nothing to be sent.
func (s *sender) ack(number uint16, now time.Duration) (packets, verdict) {
	if s.oack {
		if number != 0 {
			return packets{}, stale
		}
		s.measure(now)
		s.oack, s.echoes = false, s.probes
		if s.size > 1 {
			s.timer = s.timer.flights()
		}
		return s.flight(now), progress
	}
	v := s.window.ack(number)
	switch {
	case v == stale:
		return packets{}, v
	case v == repeated:
		return s.repeated(now), v
	case s.finished():
		s.hear()
		return packets{}, v
	case s.acked < s.to:
		return s.gap(now), v
	}
	s.whole(now)
	return s.flight(now), v
}

func (s *sender) hear() {
	if !s.heard {
		s.heard, s.timer.doubled = true, 0
	}
}

// measure takes the time of an answer to what is under way.
func (s *sender) measure(now time.Duration) {
	s.hear()
	took := now - s.began
	switch {
	case s.once:
		s.timer.sample(took)
		if s.least == 0 || took < s.least {
			s.least = max(took, 1)
		}
	case now-s.again < s.least:
		s.timer.sample(took) // sooner after the second sending than an answer can be: it answers the first one
	case s.oack || s.size == 1:
		s.timer.guess(took)
		if s.least == 0 {
			s.least = now - s.again // whichever was answered, it took no less
		}
	}
}

// whole is for when a flight has arrived.
func (s *sender) whole(now time.Duration) {
	n := s.to - s.first + 1
	if s.once && n == int64(s.size) && s.size > burst {
		s.pace.arrived(now-s.began-s.least, s.size)
	}
	s.doubled = s.doubled || s.once && s.unexplained() > 0
	s.measure(now)
	// What the client had already when it came again draws ACKs which tell of no loss. Taken for one they would have
	// this flight sent twice as well, and so on to the end of the file (RFC 1123 section 4.2.3.1).
	s.echoes = s.probes
	if s.restarted {
		s.echoes += int(n)
	}
}

// flight sends the blocks that follow the acknowledged one.
func (s *sender) flight(now time.Duration) packets {
	s.first, s.next, s.to = s.acked+1, s.acked+1, s.acked+int64(s.size)
	if s.last > 0 {
		s.to = min(s.to, s.last)
	}
	s.began, s.spread = now, now
	s.once = s.to > s.sent
	s.probes, s.nacks, s.restarted = 0, 0, false
	return s.more(now)
}

// more sends what is due of a flight.
func (s *sender) more(now time.Duration) packets {
	to := min(s.to, s.first-1+s.pace.due(now-s.spread))
	p := packets{from: s.next, count: int(to - s.next + 1)}
	s.resent += int(max(0, min(to, s.sent)-s.next+1))
	s.next, s.sent, s.latest = to+1, max(s.sent, to), now
	return p
}

// lostAll sends again what is under way, which cannot have arrived.
func (s *sender) lostAll(now time.Duration) packets {
	if s.oack || s.size == 1 {
		return s.repeat(now)
	}
	return s.restart(now)
}

// gap is for when a block is missing in the midst of the flight.
func (s *sender) gap(now time.Duration) packets {
	s.hear()
	if s.echoes > 0 && now-s.began < s.least {
		// It tells of packets before this flight, which is on its way. The client counts a window from here.
		s.first, s.spread, s.began, s.once = s.next, now, now, true
		s.to = s.acked + int64(s.size)
		if s.last > 0 {
			s.to = min(s.to, s.last)
		}
		return s.more(now)
	}
	s.timer.doubled = 0 // a loss, and no path that is slower than thought
	if s.probes > 0 || s.again > s.began {
		s.missed()
	} else if n := int(s.acked - s.first + 2); s.size > burst && n > 0 {
		s.pace.lost(now-s.began-s.least, n)
	}
	s.echoes = 0
	p := s.flight(now)
	s.restarted = true // what follows the gap draws more such ACKs
	return p
}

// missed is for when the answer to a probe shows what arrived of the flight. As no gap was reported before, the rest
// was lost.
func (s *sender) missed() {
	if s.to-s.acked < int64(min(burst, s.size)) {
		return
	}
	s.lost++
	if s.size > burst {
		s.pace.full()
	}
}

// expected is how many ACKs of the block before the flight may come though nothing was lost.
func (s *sender) expected() int {
	n := 2 * s.echoes
	if s.doubled {
		n++
	}
	return n
}

// unexplained is how many came that nothing accounts for but a gap.
func (s *sender) unexplained() int { return s.nacks - s.expected() }

// repeated is for an ACK of the block before the flight. It may tell that the flight's first block was lost, or come
// from a packet that the client had already, or from a network or client that doubles packets. One such ACK is not
// enough to send the flight again, unless it answers a probe.
func (s *sender) repeated(now time.Duration) packets {
	s.hear()
	asks := now-s.latest >= s.timer.base()
	answers := s.probes > 0 && now-s.again >= s.least && (!asks || s.probes > 2)
	if s.nacks++; s.size == 1 {
		if asks && s.unexplained() > 0 {
			return s.repeat(now)
		}
		return packets{}
	}
	switch gap := s.unexplained(); {
	case gap > 0 && answers:
		s.timer.doubled = 0
		s.missed()
		return s.restart(now)
	case gap > 1 && !s.restarted:
		return s.restart(now)
	case gap > 0 && asks:
		return s.probe(now)
	}
	return packets{}
}

// restart sends a flight again of which nothing arrived that the client can use.
func (s *sender) restart(now time.Duration) packets {
	s.once, s.restarted, s.again, s.spread = false, true, now, now
	s.probes, s.nacks = 0, 0
	s.first, s.next = s.acked+1, s.acked+1
	return s.more(now)
}
