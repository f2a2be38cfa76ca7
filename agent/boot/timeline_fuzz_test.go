package boot

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// What fuzzed requests are of.
var (
	artifacts = []Artifact{NBP, Script, Kernel, Image, Other, NoFile, Internal}
	outcomes  = Outcomes()
)

// bounded fails where a Tracker holds more than it may, or has lost count.
func (t *Tracker) bounded(tb testing.TB) {
	tb.Helper()
	provisional, underWay := 0, 0
	for r := range t.runs {
		switch {
		case !r.underWay():
		case r.provisional:
			provisional++
		default:
			underWay++
		}
		if len(r.boot.Files) > boundFiles || len(r.boot.Stages) > len(Stages()) || len(r.addrs) > boundAddrs ||
			len(r.macs) > boundAddrs ||
			len(r.have) > boundHave {
			tb.Fatalf("a boot grew: %+v", r.boot)
		}
		for _, f := range r.boot.Files {
			if len(f.Name) > boundName+len("\uFFFD") {
				tb.Fatalf("a name of %d bytes", len(f.Name))
			}
		}
		if r.busy < 0 {
			tb.Fatalf("%d requests are under way", r.busy)
		}
	}
	if provisional != t.provisional || underWay != t.underWay || provisional > trackedProvisional {
		tb.Fatalf("%d provisional of %d, %d under way of %d", t.provisional, provisional, t.underWay, underWay)
	}
	if len(t.runs) > trackedRuns || len(t.byMAC) > boundAddrs*trackedRuns || len(t.byAddr) > boundAddrs*trackedRuns ||
		len(t.flights) > trackedFlight {
		tb.Fatalf("%d runs, %d MACs, %d addresses, %d flights", len(t.runs), len(t.byMAC), len(t.byAddr),
			len(t.flights))
	}
	for _, r := range t.byMAC {
		if _, ok := t.runs[r]; !ok {
			tb.Fatal("a MAC leads to a boot that was forgotten")
		}
	}
	for _, r := range t.byAddr {
		if _, ok := t.runs[r]; !ok {
			tb.Fatal("an address leads to a boot that was forgotten")
		}
	}
}

// Tens of thousands of machines that do not exist: memory stays bounded, and the machine that is booting meanwhile is
// not lost.
func TestTrackerUnderFlood(t *testing.T) {
	tr := NewTracker(TrackerConfig{})
	now := loopStart
	ask := func(i int, class Class, artifact Artifact, outcome Outcome, mac bool) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0x0b000000+uint32(i))
		x := Transfer{Artifact: artifact, Outcome: outcome, Start: now}
		x.Class, x.Name, x.Client = class, fmt.Sprintf("name-%d", i), netip.AddrPortFrom(netip.AddrFrom4(b), 1024)
		if mac {
			x.Facts.MAC = fmt.Sprintf("52:54:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
		}
		tr.Begin(&x.Ask, now)
		tr.End(&x)
	}
	real := func(artifact Artifact) { ask(-1, IPXE, artifact, OK, true) }
	real(Script)
	requests := 30000
	if testing.Short() {
		requests = 15000 // still more machines than are followed
	}
	for i := range requests {
		now = now.Add(time.Millisecond)
		switch i % 3 {
		case 0:
			ask(i, BIOSROM, NoFile, NotFound, false)
		case 1:
			ask(i, UEFI, NBP, OK, false)
		case 2:
			ask(i, IPXE, Script, OK, true)
		}
		if i%1000 == 0 {
			real(Script)
			tr.Tick(now)
			tr.bounded(t)
			tr.Take()
		}
	}
	real(Kernel)
	tr.Tick(now.Add(settle))
	tr.bounded(t)
	_, ended := tr.Take()
	for _, b := range ended {
		if b.Result == Booted && b.Started.Equal(loopStart) {
			return
		}
	}
	t.Error("the machine that booted was lost among those that do not exist")
}

// FuzzTracker: whatever is told, memory is bounded, counts are right, and each boot ends once.
func FuzzTracker(f *testing.F) {
	f.Add([]byte("\x00\x01\x05\x00\x01\x11\x05\x00\x02\x01\x05\x10"))
	f.Add([]byte("\x20\x01\x05\x00\x43\x11\x05\x01\x02\x81\xff\x10\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, story []byte) {
		c := TrackerConfig{
			Wants: func(kernel string) []string { return []string{kernel, "/name-1"} },
			Neighbour: func(a netip.Addr) string {
				if b := a.As4(); b[3]%2 == 0 {
					return fmt.Sprintf("52:54:00:00:00:%02x", b[3]/4)
				}
				return ""
			},
		}
		tr := NewTracker(c)
		now := loopStart
		ended := map[string]bool{}
		for ; len(story) >= 4; story = story[4:] {
			now = now.Add(time.Duration(story[3]) * time.Second)
			classes := Classes()
			x := Transfer{
				Artifact:   artifacts[int(story[0]&7)%len(artifacts)],
				Outcome:    outcomes[int(story[0]>>3&7)%len(outcomes)],
				LoopBroken: story[0]&64 != 0,
				Start:      now,
			}
			x.Class, x.Proto = classes[int(story[1]&7)%len(classes)], HTTP
			x.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, story[1] >> 4}), uint16(story[1]))
			x.Name = fmt.Sprintf("name-%d", story[2]&3)
			if story[2]&128 != 0 {
				x.Facts.MAC = fmt.Sprintf("52:54:00:00:00:%02x", story[2]>>4&3)
			}
			x.Bytes = int64(story[2] & 4)
			switch {
			case story[2]&8 != 0:
				tr.Begin(&x.Ask, now)
			case story[2]&64 != 0:
				tr.Looped(Loop{Client: x.Client.Addr(), File: "x"}, "")
			default:
				x.Took = time.Duration(story[3]) * time.Second / 2
				tr.End(&x)
			}
			if story[0]&128 != 0 {
				tr.Tick(now)
			}
			tr.bounded(t)
			_, last := tr.Take()
			for _, b := range last {
				if ended[b.ID] || b.Result == UnderWay || b.Ended.IsZero() {
					t.Fatalf("ended again, or not at all: %+v", b)
				}
				ended[b.ID] = true
			}
		}
	})
}

func BenchmarkTrackerEnd(b *testing.B) {
	tr := NewTracker(TrackerConfig{})
	now := loopStart
	for i := range b.N {
		now = now.Add(time.Millisecond)
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x0b000000+uint32(i%100000))
		x := Transfer{Artifact: Script, Outcome: OK, Start: now}
		x.Class, x.Name, x.Client = IPXE, "/ipxe/bootstrap.ipxe", netip.AddrPortFrom(netip.AddrFrom4(a), 1024)
		tr.End(&x)
		if i%100 == 0 {
			tr.Take()
		}
	}
}
