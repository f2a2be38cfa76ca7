package tftp

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// stranger serves one file by a single port to addresses that are not proven.
func stranger(t *testing.T, c Config) *running {
	t.Helper()
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	c.Opener, c.SinglePort = shelf{"f": file(pattern(2000))}, true
	return servingStrangers(t, c, l)
}

// An answer that comes to a single port proves nothing, as a forger can guess it. An address that has completed a
// transfer is taken for a machine's.
func TestSinglePortGivesStrangersLittle(t *testing.T) {
	s := stranger(t, Config{})
	c, other := dialing(t, s.addr), dialing(t, s.addr)
	c.ask("f", "blksize=512 windowsize=64")
	c.oack("blksize=512 windowsize=1")
	c.ack(0)
	c.fresh(1)
	other.ask("f", "tsize=0") // from the same address
	other.quiet(50 * time.Millisecond)
	c.ack(1)
	c.rest(2, 512)
	s.record.wait(t, boot.OK)
	if n := s.Load().Dropped; n != 1 {
		t.Errorf("%d counted as dropped, want the other", n)
	}
	c.ask("f", "blksize=512 windowsize=64")
	c.oack("blksize=512 windowsize=64")
	c.abort(codeUndefined)
	s.record.wait(t, boot.Aborted)
}

func TestBlindAcksEndATransfer(t *testing.T) {
	s := stranger(t, Config{})
	c := dialing(t, s.addr)
	c.ask("f", "blksize=512")
	c.oack("blksize=512")
	for block := range 5 { // as a forger does, who does not see what is sent
		c.ack(block)
		c.ack(block + 2)
	}
	if tr := s.record.wait(t, boot.Aborted); !errors.Is(tr.Err, errBlind) || tr.Bytes > 1024 {
		t.Errorf("%+v", tr)
	}
}

// A machine that never asked says so by ICMP, and is sent nothing for a minute.
func TestAddressThatNeverAsked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells of ICMP at a socket that is not connected")
	}
	s := stranger(t, Config{})
	c := dialing(t, s.addr)
	c.ask("f", "blksize=512")
	c.oack("blksize=512")
	c.conn.Close() // the kernel answers what is sent again
	if tr := s.record.wait(t, boot.Aborted); !errors.Is(tr.Err, errGone) {
		t.Errorf("%+v", tr)
	}
	again := dialing(t, s.addr)
	again.ask("f", "")
	again.quiet(50 * time.Millisecond)
	for s.Load().Dropped < 1 {
		runtime.Gosched()
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	if !s.strangers.barred.has(loopback, time.Now()) {
		t.Error("the address is not barred")
	}
	if s.strangers.barred.has(loopback, time.Now().Add(barredFor)) {
		t.Error("the address is barred for more than a minute")
	}
}

// A machine that took all it wanted and closed its port is not barred, though ICMP comes before its last ACK is read.
func TestMachineThatClosesItsPort(t *testing.T) {
	s := stranger(t, Config{})
	for range 20 {
		c := dialing(t, s.addr)
		c.ask("f", "")
		c.rest(1, 512)
		c.conn.Close()
		s.record.wait(t, boot.OK)
	}
}

// A machine whose last ACK is lost has what it wanted, and its closed port answers the last block, which is sent again,
// by ICMP. It is not barred.
func TestMachineWhoseLastACKIsLost(t *testing.T) {
	s := stranger(t, Config{})
	c := dialing(t, s.addr)
	c.ask("f", "blksize=1000")
	c.oack("blksize=1000")
	for block := range 2 {
		c.ack(block)
		c.fresh(block + 1)
	}
	c.ack(2)
	c.fresh(3) // an empty one
	c.conn.Close()
	if tr := s.record.next(t); tr.Bytes != 2000 || !tr.Answered {
		t.Errorf("%+v", tr)
	}
	if s.strangers.barred.has(netip.MustParseAddr("127.0.0.1"), time.Now()) {
		t.Error("the machine is barred")
	}
}

// The same machine when it asked for a file of one block.
func TestMachineWhoseOnlyACKIsLost(t *testing.T) {
	s := stranger(t, Config{})
	c := dialing(t, s.addr)
	c.ask("f", "blksize=2048")
	c.oack("blksize=2048")
	c.ack(0)
	c.fresh(1)
	c.conn.Close()
	if tr := s.record.next(t); runtime.GOOS == "linux" && !errors.Is(tr.Err, errUnclear) {
		t.Errorf("%+v", tr)
	}
	if s.strangers.barred.has(netip.MustParseAddr("127.0.0.1"), time.Now()) {
		t.Error("the machine is barred")
	}
}

// An ERROR 5 would end the boot of a machine that was slow. It asks again after silence.
func TestEvictedTransferIsAnsweredWithSilence(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}, SinglePort: true, MaxTransfers: 1, MaxPerClient: 2})
	slow, c := dialing(t, s.addr), dialing(t, s.addr)
	slow.ask("f", "tsize=0")
	slow.oack("tsize=2000")
	slow.oack("tsize=2000")
	slow.quiet(owes)
	c.ask("f", "")
	if tr := s.record.wait(t, boot.TimedOut); !errors.Is(tr.Err, errEvicted) {
		t.Errorf("%+v", tr)
	}
	c.rest(1, 512)
	s.record.wait(t, boot.OK)
	slow.ack(0)
	slow.quiet(50 * time.Millisecond)
	slow.ask("f", "")
	slow.rest(1, 512)
	s.record.wait(t, boot.OK)
}

// What strangers of a single port are sent in all is bounded for each and for all of them.
func TestStrangersShareARate(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct{ addresses, want int }{{1, strangerRate}, {10, 10 * strangerRate}, {100, strangersRate}} {
		s := newStrangers(1)
		const packet, span = 1460, 10 * time.Second
		sent := 0
		for i := range tt.addresses {
			a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			_ = s.wait(a, packet, now)
		}
		for turn := 1; ; turn++ {
			longest := time.Duration(0)
			for i := range tt.addresses {
				longest = max(longest, s.wait(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), packet, now))
			}
			if longest > span {
				break
			}
			sent += tt.addresses * packet
		}
		if rate := sent / int(span/time.Second); rate > tt.want*11/10+packet || rate < tt.want*9/10 {
			t.Errorf("%d addresses are sent %d bytes a second, want %d", tt.addresses, rate, tt.want)
		}
	}
}

func TestMarks(t *testing.T) {
	m := marks[int]{keep: time.Minute, most: 100}
	now := time.Now()
	for i := range 1000 {
		m.add(i, now)
		if len(m.newer)+len(m.older) > 100 {
			t.Fatalf("%d are remembered", len(m.newer)+len(m.older))
		}
	}
	if !m.has(999, now) || !m.has(950, now) || m.has(1, now) || m.has(999, now.Add(time.Minute)) {
		t.Error("remembers what it should not, or does not what it should")
	}
}

func TestRate(t *testing.T) {
	now := time.Now()
	r := perSecond(1000, 10)
	got := 0
	for range 2000 {
		for r.allow(1, now) {
			got++
		}
		now = now.Add(time.Millisecond)
	}
	if got < 2000 || got > 2000+11 {
		t.Errorf("%d in 2 s of 1,000 a second and 10 at once", got)
	}
}
