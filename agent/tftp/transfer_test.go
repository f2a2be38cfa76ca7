package tftp

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

func TestTransferWithOptions(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "blksize=1432 tsize=0")
		c.oack("blksize=1432 tsize=2000")
		if (c.tid == s.addr) != cfg.SinglePort {
			t.Errorf("answer from %v", c.tid)
		}
		c.ack(0)
		if got := c.rest(1, 1432); !bytes.Equal(got, pattern(2000)) {
			t.Errorf("got %d bytes", len(got))
		}
		tr := s.record.wait(t, boot.OK)
		if tr.Bytes != 2000 || tr.Class != boot.IPXE || tr.Artifact != boot.NBP || tr.Took <= 0 ||
			tr.Err != nil {
			t.Errorf("%+v", tr)
		}
		if tr.Client.Port() != c.conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port() ||
			tr.Local != s.addr ||
			tr.Name != "f" ||
			tr.Proto != boot.TFTP {
			t.Errorf("%+v", tr.Ask)
		}
	})
}

func TestTransferWithoutOptions(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "")
		if got := c.rest(1, 512); !bytes.Equal(got, pattern(2000)) {
			t.Errorf("got %d bytes", len(got))
		}
		s.record.wait(t, boot.OK)
		c.ask("empty", "frobnicate=1") // nothing to grant: no OACK
		if got := c.rest(1, 512); len(got) != 0 {
			t.Errorf("got %d bytes of an empty file", len(got))
		}
		s.record.wait(t, boot.OK)
	})
}

func TestNetasciiHasNoSize(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"text": file([]byte(strings.Repeat("a line\n", 100)))}})
	c := dialing(t, s.addr)
	c.sendTo(s.addr, rrq("text", "NetASCII", "tsize=0 blksize=64"))
	c.oack("blksize=64")
	c.ack(0)
	if got, want := string(c.rest(1, 64)), strings.Repeat("a line\r\n", 100); got != want {
		t.Errorf("got %q", got)
	}
	if tr := s.record.wait(t, boot.OK); tr.Bytes != 800 {
		t.Errorf("%d bytes counted", tr.Bytes)
	}
}

func TestErrors(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		for _, tt := range []struct {
			packet  string
			code    uint16
			outcome boot.Outcome
		}{
			{"\x00\x01nothing\x00octet\x00", codeNotFound, boot.NotFound},
			{"\x00\x01secret\x00octet\x00", codeAccess, boot.Refused},
			{"\x00\x01broken\x00octet\x00", codeUndefined, boot.Failed},
			{"\x00\x02f\x00octet\x00", codeIllegal, boot.Refused},
			{"\x00\x01f\x00mail\x00", codeIllegal, boot.Refused},
			{"\x00\x01f\x00", codeIllegal, boot.Refused},
		} {
			c.sendTo(s.addr, []byte(tt.packet))
			c.errorCode(tt.code)
			if tr := s.record.wait(t, tt.outcome); tr.Err == nil {
				t.Errorf("%q: no error", tt.packet)
			}
		}
		// Packets of no transfer; an ERROR and noise are never answered.
		c.sendTo(s.addr, []byte{0, opACK, 0, 1})
		c.errorCode(codeUnknownTID)
		c.sendTo(s.addr, []byte{0, opERROR, 0, 0, 0})
		c.sendTo(s.addr, []byte("noise"))
		c.sendTo(s.addr, []byte{0})
		c.sendTo(s.addr, nil)
		c.quiet(50 * time.Millisecond)
	})
}

func TestFileThatBreaksWhileSent(t *testing.T) {
	s := serving(
		t,
		Config{Opener: shelf{"f": &File{ReaderAt: bytes.NewReader(pattern(600)), Size: 40_000, Artifact: boot.Image}}},
	)
	c := dialing(t, s.addr)
	c.ask("f", "")
	c.errorCode(codeUndefined)
	if tr := s.record.wait(t, boot.Failed); tr.Artifact != boot.Image {
		t.Errorf("%+v", tr)
	}
}

func TestSizeProbeIsNoFailure(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		for _, code := range []uint16{codeUndefined, codeOption} {
			c := dialing(t, s.addr)
			c.ask("f", "tsize=0 blksize=1468 windowsize=4")
			c.oack("tsize=2000 blksize=1468 windowsize=4")
			c.abort(code)
			if tr := s.record.wait(t, boot.SizeProbe); tr.Class != boot.UEFI || tr.Err != nil || tr.Bytes != 0 ||
				!slices.Equal(tr.Quirks, []boot.Quirk{boot.ProbedSize}) {
				t.Errorf("%+v", tr)
			}
		}
		// Without the size it is an abort, and so is one later on.
		c := dialing(t, s.addr)
		c.ask("f", "blksize=512")
		c.oack("blksize=512")
		c.abort(codeUndefined)
		s.record.wait(t, boot.Aborted)
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		c.ack(0)
		c.data(1)
		c.ack(1)
		c.fresh(2)
		c.abort(codeUndefined)
		if tr := s.record.wait(t, boot.Aborted); tr.Bytes != 512 || !strings.Contains(tr.Err.Error(), "User aborted") {
			t.Errorf("%+v", tr)
		}
	})
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		c.oack("tsize=2000") // as the first was not acknowledged
		c.ack(0)
		c.data(1)
		c.data(1)
		c.ack(1)
		if got := c.rest(2, 512); !bytes.Equal(got, pattern(2000)[512:]) {
			t.Errorf("got %d bytes", len(got))
		}
		if tr := s.record.wait(t, boot.OK); tr.Resent < 2 || tr.Bytes != 2000 {
			t.Errorf("%+v", tr)
		}
	})
}

// RFC 1123 section 4.2.3.1: an ACK that comes twice must not double the DATA from there on.
func TestSorcerersApprentice(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "blksize=8")
		c.oack("blksize=8")
		c.ack(0)
		c.ack(0)
		for block := 1; block < 250; block++ {
			c.fresh(block)
			c.ack(block)
			c.ack(block)
		}
		if got := c.fresh(250); len(got) != 8 {
			t.Errorf("%d bytes", len(got))
		}
		c.ack(250)
		c.fresh(251)
		c.ack(251)
		c.quiet(30 * time.Millisecond)
		if tr := s.record.wait(t, boot.OK); tr.Resent > 5 {
			t.Errorf("%d packets sent again", tr.Resent)
		}
	})
}

func TestStaleAcksAreIgnored(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}})
	c := dialing(t, s.addr)
	c.ask("f", "")
	c.data(1)
	c.ack(1)
	c.fresh(2)
	c.ack(7)
	c.ack(40000)
	c.ack(2)
	c.fresh(3)
	c.ack(1)
	c.sendTo(c.tid, []byte{0, 9})
	c.sendTo(c.tid, []byte("\x00\x03\x00\x03what?"))
	c.ack(3)
	if b := c.fresh(4); len(b) != 2000-3*512 {
		t.Errorf("%d bytes", len(b))
	}
	c.ack(4)
	s.record.wait(t, boot.OK)
}

func TestClientThatGoes(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}})
		c := dialing(t, s.addr)
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		c.conn.Close()
		s.record.wait(t, boot.Aborted) // the kernel answers the resent OACK by ICMP
	})
	t.Run("silently", func(t *testing.T) {
		s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}, Silence: 300 * time.Millisecond})
		c := dialing(t, s.addr)
		c.ask("f", "")
		c.data(1)
		c.ack(1)
		c.fresh(2)
		if tr := s.record.wait(t, boot.TimedOut); tr.Bytes != 512 || tr.Resent == 0 || tr.Err == nil {
			t.Errorf("%+v", tr)
		}
	})
	t.Run("without the last ACK", func(t *testing.T) {
		s := serving(t, Config{Opener: shelf{"f": file(pattern(600))}, Silence: 300 * time.Millisecond})
		c := dialing(t, s.addr)
		c.ask("f", "")
		c.data(1)
		c.ack(1)
		c.fresh(2)
		if tr := s.record.wait(t, boot.OK); tr.Bytes != 512 {
			t.Errorf("%+v", tr)
		}
	})
}

// A forged request must not become a flood to its victim.
func TestUnansweredRequestIsSentLittle(t *testing.T) {
	t.Parallel()
	s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}})
	c := dialing(t, s.addr)
	c.ask("f", "")
	for range firstSends {
		c.data(1)
	}
	c.quiet(time.Second)
	c.ask("f", "") // who is there asks again, and is sent as much as it asks for
	c.data(1)
	c.quiet(4500 * time.Millisecond)
	if tr := s.record.wait(t, boot.TimedOut); tr.Resent != firstSends || tr.Bytes != 0 {
		t.Errorf("%+v", tr)
	}
}

// An address that answers nothing is sent so much in a minute, however often it asks, from whichever port.
func TestAddressThatAnswersNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.MaxTransfers, cfg.MaxPerClient = 100, 2
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		got := 0
		for range 50 {
			c.ask("f", "")
			if b := c.receive(20 * time.Millisecond); b != nil {
				got++
			}
		}
		if most := firstSends * cfg.MaxPerClient; got != most {
			t.Errorf("sent %d packets, want %d", got, most)
		}
	})
}

func TestStrangersAreSentLittle(t *testing.T) {
	u := newStrangers(2)
	now := time.Now()
	a, b := netip.MustParseAddr("10.77.0.9"), netip.MustParseAddr("10.77.0.10")
	for i, want := range []bool{true, true, false, false} {
		if got := u.allow(a, now); got != want {
			t.Errorf("packet %d: %v", i, got)
		}
	}
	if !u.allow(b, now) {
		t.Error("another address is sent nothing")
	}
	u.answered(a)
	for packet, want := range []bool{true, true, false} {
		if got := u.allow(a, now); got != want {
			t.Errorf("packet %d after an answer: %v", packet, got)
		}
	}
	if !u.allow(a, now.Add(time.Minute)) {
		t.Error("nothing is sent a minute later")
	}
	for i := range 100_000 {
		u.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
		if len(u.sends) > countedMost {
			t.Fatalf("%d addresses are counted", len(u.sends))
		}
	}
}

func TestClientsTimeout(t *testing.T) {
	t.Parallel()
	s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}})
	c := dialing(t, s.addr)
	c.ask("f", "timeout=1")
	c.oack("timeout=1")
	c.ack(0)
	c.data(1)
	// The wait doubles from some 20 ms, and stays at the client's second.
	var longest time.Duration
	for at, end := time.Now(), time.Now().Add(4*time.Second); at.Before(end); {
		c.data(1)
		longest = max(longest, time.Since(at))
		at = time.Now()
	}
	// Without the option the last wait would be 2.56 s.
	if longest < 900*time.Millisecond || longest > 2400*time.Millisecond {
		t.Errorf("waited up to %v", longest)
	}
	c.abort(0)
	s.record.wait(t, boot.Aborted)
}

func TestBlockNumbersRollOver(t *testing.T) {
	const size = 8*(65536*2+10) + 3
	for _, options := range []string{"blksize=8", "blksize=8 windowsize=64"} {
		s := serving(t, Config{Opener: shelf{"f": file(pattern(size))}})
		c := dialing(t, s.addr)
		c.ask("f", options)
		c.oack(options)
		c.ack(0)
		var got bytes.Buffer
		window := 1
		if strings.Contains(options, "windowsize") {
			window = 64
		}
		for block := 1; ; block++ {
			b := c.fresh(block)
			got.Write(b)
			if block%window == 0 || len(b) < 8 {
				c.ack(block)
			}
			if len(b) < 8 {
				break
			}
		}
		if !bytes.Equal(got.Bytes(), pattern(size)) {
			t.Errorf("%s: got %d bytes of %d", options, got.Len(), size)
		}
		if tr := s.record.wait(t, boot.OK); tr.Bytes != size {
			t.Errorf("%s: %+v", options, tr)
		}
	}
}
