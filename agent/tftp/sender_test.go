package tftp

import (
	"errors"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

const ms = time.Millisecond

// TestSender is what the RFCs say about what a server sends: what came, when, and what is sent then.
func TestSender(t *testing.T) {
	type happens struct {
		at   time.Duration
		ack  int // -1: nothing comes, the deadline passes; -2: the client asks again
		want packets
	}
	const timeout, asks = -1, -2
	oack, nothing := packets{oack: true}, packets{}
	blocks := func(from, to int64) packets { return packets{from: from, count: int(to - from + 1)} }
	for _, tt := range []struct {
		what   string
		window int
		last   int64
		steps  []happens
	}{
		{"lock-step (RFC 1350)", 1, 3, []happens{
			{1 * ms, 0, blocks(1, 1)}, {2 * ms, 1, blocks(2, 2)}, {3 * ms, 2, blocks(3, 3)}, {4 * ms, 3, nothing},
		}},
		{"a second ACK is not answered (RFC 1123 section 4.2.3.1)", 1, 9, []happens{
			{1 * ms, 0, blocks(1, 1)}, {2 * ms, 0, nothing}, {3 * ms, 1, blocks(2, 2)},
			{4 * ms, 1, nothing}, {4 * ms, 0, nothing},
		}},
		{"nor is one of a block that was never sent", 1, 9, []happens{
			{1 * ms, 0, blocks(1, 1)}, {2 * ms, 2, nothing}, {2 * ms, 60000, nothing}, {2 * ms, 1, blocks(2, 2)},
		}},
		{"the OACK is answered by ACK 0 alone (RFC 2347)", 1, 9, []happens{
			{1 * ms, 1, nothing}, {2 * ms, 0, blocks(1, 1)},
		}},
		{"what is lost is sent again", 1, 9, []happens{
			{50 * ms, timeout, oack}, {51 * ms, 0, blocks(1, 1)},
			{300 * ms, timeout, blocks(1, 1)}, {301 * ms, 1, blocks(2, 2)},
		}},
		{"a client that never answers is sent the OACK twice, and once more each time it asks", 1, 9, []happens{
			{50 * ms, timeout, oack}, {250 * ms, asks, oack}, {850 * ms, asks, oack},
			{900 * ms, 0, blocks(1, 1)}, {901 * ms, asks, nothing},
		}},
		{"whole windows (RFC 7440)", 4, 6, []happens{
			{1 * ms, 0, blocks(1, 4)}, {2 * ms, 4, blocks(5, 6)}, {3 * ms, 6, nothing},
		}},
		{"a gap in a window (RFC 7440 section 4)", 4, 20, []happens{
			{1 * ms, 0, blocks(1, 4)}, {2 * ms, 2, blocks(3, 6)}, {2 * ms, 2, nothing}, {3 * ms, 6, blocks(7, 10)},
		}},
		{"the first block of a window is missing", 4, 20, []happens{
			{1 * ms, 0, blocks(1, 4)}, {2 * ms, 4, blocks(5, 8)}, {3 * ms, 4, nothing},
			{3 * ms, 4, blocks(5, 8)}, {3 * ms, 4, nothing},
			{4 * ms, 8, blocks(9, 12)},
		}},
		{"a window that is late is asked for by one block", 4, 20, []happens{
			{1 * ms, 0, blocks(1, 4)}, {1001 * ms, timeout, blocks(4, 4)},
			{1002 * ms, 4, blocks(5, 8)}, {1003 * ms, 4, nothing},
			{1004 * ms, 8, blocks(9, 12)},
		}},
		{"a window that was lost is sent again when the client says so", 4, 20, []happens{
			{1 * ms, 0, blocks(1, 4)}, {1001 * ms, timeout, blocks(4, 4)},
			{1002 * ms, 0, blocks(1, 4)}, {1003 * ms, 4, blocks(5, 8)},
		}},
		{"or when it says nothing to that block either", 4, 20, []happens{
			{1 * ms, 0, blocks(1, 4)}, {1001 * ms, timeout, blocks(4, 4)},
			{3001 * ms, timeout, blocks(1, 4)}, {3002 * ms, 4, blocks(5, 8)},
		}},
		{"ACKs that come twice start nothing", 4, 20, []happens{
			{1 * ms, 0, blocks(1, 4)}, {1 * ms, 0, nothing}, {2 * ms, 4, blocks(5, 8)},
			{2 * ms, 4, nothing}, {3 * ms, 8, blocks(9, 12)},
			{3 * ms, 8, nothing},
		}},
		{"the numbers wrap after 65535", 1, 70000, nil},
	} {
		s := newSender(terms{window: tt.window, oack: optionList("tsize=0")}, tt.last)
		if got := s.start(0); got != oack {
			t.Errorf("%s: starts with %+v", tt.what, got)
		}
		for _, step := range tt.steps {
			var got packets
			switch step.ack {
			case timeout:
				if d := s.deadline(); d > step.at {
					t.Errorf("%s: at %v the deadline is %v", tt.what, step.at, d)
				}
				got = s.timeout(step.at)
			case asks:
				got = s.asked(step.at)
			default:
				if d := s.deadline(); d < step.at {
					t.Errorf("%s: at %v the deadline was %v", tt.what, step.at, d)
				}
				got, _ = s.ack(uint16(step.ack), step.at)
			}
			if got != step.want {
				t.Errorf("%s: at %v, ACK %d: %+v is sent, want %+v", tt.what, step.at, step.ack, got, step.want)
			}
		}
		for n := int64(0); tt.steps == nil && !s.finished(); n++ {
			if p, _ := s.ack(uint16(n), time.Duration(n+1)*ms); !s.finished() && p != blocks(n+1, n+1) {
				t.Fatalf("%s: after block %d %+v is sent", tt.what, n, p)
			}
		}
		if tt.last < 9 && !s.finished() {
			t.Errorf("%s: does not end", tt.what)
		}
	}
}

// After ACKs of packets before a flight the client counts the window from another block. A gap before that block says
// nothing of how fast the path is.
func TestGapBeforeTheWindow(t *testing.T) {
	s := newSender(terms{window: 8}, 100)
	s.start(0)
	s.echoes, s.least = 1, 5*ms
	if p, _ := s.ack(4, 1*ms); p != (packets{from: 9, count: 4}) {
		t.Fatalf("after an ACK that is an echo: %+v", p)
	}
	before := s.pace
	if p, v := s.ack(7, 20*ms); v != progress || p.from != 8 || s.pace != before {
		t.Errorf("%+v is sent, the pace is %+v", p, s.pace)
	}
}

// A round trip is learnt from an answer that can only be the first sending's, so that a path that is slower than
// thought is not sent everything twice.
func TestLateAnswerIsASample(t *testing.T) {
	s := newSender(terms{window: 1, oack: optionList("tsize=0")}, 100)
	s.start(0)
	s.ack(0, 20*ms) // the shortest round trip
	for n := int64(1); n <= 3; n++ {
		at := time.Duration(n) * time.Second
		s.latest, s.began = at, at
		s.timeout(at + 290*ms)
		if p, _ := s.ack(uint16(n), at+300*ms); p.from != n+1 {
			t.Fatalf("after block %d: %+v", n, p)
		}
	}
	if w := s.timer.wait(); w < 80*ms || s.timer.doubled != 0 {
		t.Errorf("waits %v for an answer that takes 300 ms", w)
	}
}

// FuzzSession has packets arrive, lost, late and twice as the input says, and then all of them, or none: whatever
// happens, no more than a window is under way, every block arrives once, in order, and the transfer ends.
func FuzzSession(f *testing.F) {
	f.Add(uint8(1), uint8(9), false, []byte{0, 1, 2, 3})
	f.Add(uint8(4), uint8(200), false, []byte{0, 0, 7, 1, 3, 3, 3, 9, 250})
	f.Add(uint8(64), uint8(255), true, []byte("\x00\x10\x20\x30\x41\x52\x63"))
	f.Fuzz(func(t *testing.T, window, last uint8, gone bool, what []byte) {
		size, end := int(window%maxWindow)+1, int64(last)+1
		const silence = 30 * time.Second
		s := newSession(terms{window: size, oack: optionList("tsize=0")}, end, silence)
		var now time.Duration
		var has, acked int64
		var out output
		var latest happening
		begun := false
		var acks []uint16 // on their way
		receive := func(b int64) {
			if b == has+1 {
				if has++; has-acked < int64(size) && has < end {
					return
				}
			}
			acked = has
			acks = append(acks, uint16(has))
		}
		i := 0
		chance := func() bool { i++; return i < len(what) && what[i]%4 > 0 }
		all := func() bool { return true }
		step := func(e event, arrives func() bool) {
			s, out = s.step(e, now)
			if latest = e.what; out.outcome == "" && out.due > now+max(silence, longest) {
				t.Fatalf("the next deadline is in %v", out.due-now)
			}
			p := out.packets
			if p.oack {
				if begun = begun || arrives(); begun {
					acks = append(acks, uint16(has))
				}
			}
			for i := range int64(p.count) {
				b := p.from + i
				if b <= s.acked || b > s.acked+int64(size) || b > end {
					t.Fatalf("block %d is sent after %d of %d, window %d", b, s.acked, end, size)
				}
				if arrives() {
					receive(b)
				}
			}
			if s.sent-s.acked > int64(size) {
				t.Fatalf("%d blocks are under way", s.sent-s.acked)
			}
		}
		ack := func(n uint16, arrives func() bool) {
			step(event{what: came, reply: reply{op: opACK, number: n}}, arrives)
		}
		step(event{what: begins}, chance)
		for ; i < len(what) && out.outcome == ""; i++ {
			now += time.Duration(what[i]) * ms
			switch {
			case what[i]%8 == 7: // anything at all
				if ack(uint16(what[i])<<3|uint16(i), chance); s.acked > has { // a client that lies about what it has
					return
				}
			case what[i]%8 == 6:
				step(event{what: []happening{asksAgain, tooLarge}[what[i]/8%2]}, chance)
			case len(acks) > 0 && what[i]%8 < 5:
				n := acks[0]
				if what[i]%8 > 0 { // else it comes once more
					acks = acks[1:]
				}
				ack(n, chance)
			default:
				now = max(now, out.due)
				step(event{what: passes}, chance)
			}
		}
		if gone {
			since, steps := now, 0
			for ; out.outcome == "" && steps < 1000; steps++ {
				now = max(now, out.due)
				step(event{what: passes}, func() bool { return false })
			}
			if out.outcome == "" || now > since+silence+firstWait+longest {
				t.Fatalf("the client is gone, and the transfer runs for %v: %+v", now-since, s)
			}
			return
		}
		// From here on nothing is lost.
		for steps := 0; out.outcome == ""; steps++ {
			switch {
			case steps > 100*(int(end)+size):
				t.Fatalf("not finished: %d of %d blocks, %+v", has, end, s)
			case len(acks) > 0:
				now += ms
				n := acks[0]
				acks = acks[1:]
				ack(n, all)
			case !s.heard:
				now += ms
				step(event{what: asksAgain}, all)
			default:
				now = max(now, out.due)
				step(event{what: passes}, all)
			}
		}
		if out.outcome == boot.OK && has != end && latest != passes { // else it went silent at the last block
			t.Fatalf("finished, and %d of %d blocks have arrived", has, end)
		}
	})
}

// A transfer ends as the RFCs and its client have it.
func TestSessionEnds(t *testing.T) {
	answer := func(op, number uint16) event { return event{what: came, reply: reply{op: op, number: number}} }
	ack := func(n uint16) event { return answer(opACK, n) }
	for _, tt := range []struct {
		what   string
		strict bool
		events []event
		want   boot.Outcome
		err    error
	}{
		{"all acknowledged", false, []event{ack(0), ack(1), ack(2)}, boot.OK, nil},
		{"an ERROR after the size (RFC 2349)", false, []event{answer(opERROR, codeOption)}, boot.SizeProbe, nil},
		{"another request after the size", false, []event{{what: asksElse}}, boot.SizeProbe, nil},
		{"another request later", false, []event{ack(0), {what: asksElse}}, boot.Aborted, errReplaced},
		{"silence", false, []event{ack(0), {what: passes}}, boot.TimedOut, errSilent},
		{"silence from the beginning", false, []event{{what: passes}}, boot.TimedOut, errSilent},
		{"silence to the last block", false, []event{ack(0), ack(1), {what: passes}}, boot.OK, nil},
		{"a port that is closed", false, []event{ack(0), {what: unreachable}}, boot.Aborted, errGone},
		{"a port that is closed after the last block", false, []event{ack(0), ack(1), {what: unreachable}}, boot.OK, nil},
		{"a port that never was", false, []event{{what: unreachable}}, boot.Aborted, errGone},
		{"a port that is closed after the last block, single port", true, []event{ack(0), ack(1), {what: unreachable}},
			boot.Aborted, errGone},
		{"silence to the last block, single port", true, []event{ack(0), ack(1), {what: passes}}, boot.TimedOut, errSilent},
		{"its place is needed", false, []event{{what: evicts}}, boot.TimedOut, errEvicted},
		{"the server stops", false, []event{ack(0), {what: stops}}, boot.Failed, errStopping},
		{"a block that was not sent", false, []event{ack(0), ack(2)}, "", nil},
		{"a block that was not sent, single port", true, []event{ack(0), ack(2)}, boot.Aborted, errBlind},
		{"a block before the OACK's answer, single port", true, []event{ack(1)}, boot.Aborted, errBlind},
		{"a block long acknowledged, single port", true, []event{ack(0), ack(1), ack(0)}, "", nil},
	} {
		s := newSession(terms{window: 1, tsize: true, oack: optionList("tsize=0")}, 2, time.Second)
		s.strict, s.blind = tt.strict, tt.strict
		s, out := s.step(event{what: begins}, 0)
		now := time.Duration(0)
		for _, e := range tt.events {
			if now += ms; e.what == passes {
				now += time.Minute
			}
			s, out = s.step(e, now)
		}
		if out.outcome != tt.want || !errors.Is(out.err, tt.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tt.what, out.outcome, out.err, tt.want, tt.err)
		}
		if (out.failure != "") != (tt.err == errStopping) {
			t.Errorf("%s: ERROR %q", tt.what, out.failure)
		}
	}
}

// FuzzNegotiate grants within the limits, whatever is asked.
func FuzzNegotiate(f *testing.F) {
	f.Add("blksize", "1432", "tsize", "0", int64(93955), 1468, 64)
	f.Add("windowsize", "65535", "BLKSIZE", "99999999999999999999", int64(-1), 8, 1)
	f.Add("timeout", "255", "timeout", "1", int64(0), 65464, 4)
	f.Fuzz(func(t *testing.T, name, value, name2, value2 string, size int64, limit, window int) {
		limit, window = min(max(limit, minBlksize), maxBlksize), min(max(window, 1), maxWindow)
		asked := []boot.Option{{Name: name, Value: value}, {Name: name2, Value: value2}}
		got := negotiate(asked, size, limit, window)
		if got.blksize < minBlksize || got.blksize > max(limit, defaultSize) {
			t.Fatalf("blksize %d, limit %d", got.blksize, limit)
		}
		if got.window < 1 || got.window > window || got.window > 1 && got.window*got.blksize > maxFlight {
			t.Fatalf("window %d of %d bytes, limit %d", got.window, got.blksize, window)
		}
		if got.timeout < 0 || got.timeout > 255*time.Second || got.tsize && size < 0 || len(got.oack) > len(asked) {
			t.Fatalf("%+v", got)
		}
		if len(got.oack) == 0 && (got.blksize != defaultSize || got.window != 1 || got.timeout != 0) {
			t.Fatalf("granted without telling: %+v", got)
		}
	})
}
