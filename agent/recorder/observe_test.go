package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
)

// newObserved is a recorder that nobody runs until Start is called.
func newObserved(t testing.TB) (*Recorder, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	r, err := New(Config{Metrics: reg, Log: slog.New(slog.DiscardHandler), Event: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	return r, reg
}

func transferOf(i int) boot.Transfer {
	t := boot.Transfer{
		Artifact: boot.Script,
		Outcome:  boot.OK,
		Start:    time.Unix(1767225600, int64(i)*1e6),
		Took:     time.Millisecond,
		Bytes:    700,
	}
	t.Proto, t.Class, t.Name = boot.HTTP, boot.IPXE, "/ipxe/bootstrap.ipxe"
	t.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1024)
	t.Facts.MAC = fmt.Sprintf("52:54:00:00:%02x:%02x", i>>8&255, i&255)
	return t
}

func value(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// Requests are reported without waiting, though nobody listens. Of those that may be forged, what does not fit the
// queue is counted; what a machine must have sent is followed later, all of it.
func TestObserverNeverWaits(t *testing.T) {
	o, reg := newObserved(t)
	const n, machines = queueMost + 1000, 100
	began := time.Now()
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := w; i < n; i += 8 {
				forged := transferOf(i)
				forged.Proto = boot.TFTP
				o.End(&forged)
			}
		})
	}
	all.Wait()
	o.feed = boot.NewFeed(n)
	for i := range machines {
		answered := transferOf(1<<14 + i)
		answered.Proto, answered.Answered = boot.TFTP, i%2 == 0
		if i%2 == 1 {
			answered.Proto = boot.HTTP
		}
		o.Begin(&answered.Ask)
		o.End(&answered)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d requests took %v", n, took)
	}
	if dropped := value(t, reg, "pxeagent_boot_events_dropped_total"); dropped != n-queueMost {
		t.Errorf("%v dropped, want %d", dropped, n-queueMost)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.Start(ctx)(); err != nil {
		t.Fatal(err)
	}
	if boots := len(o.feed.Boots(boot.Filter{})); boots != queueMost+machines {
		t.Errorf("%d boots came of those that found room, want %d", boots, queueMost+machines)
	}
}

// What a transfer pays for being followed: with a queue that is read, and with one that is full.
func BenchmarkObserverEnd(b *testing.B) {
	run := func(b *testing.B, o *Recorder) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			t := transferOf(7)
			for p.Next() {
				o.End(&t)
			}
		})
	}
	b.Run("metrics alone", func(b *testing.B) {
		o, _ := newObserved(b)
		b.RunParallel(func(p *testing.PB) {
			t := transferOf(7)
			for p.Next() {
				o.metrics.end(&t, false)
			}
		})
	})
	b.Run("followed", func(b *testing.B) {
		o, reg := newObserved(b)
		ctx, cancel := context.WithCancel(context.Background())
		stop := o.Start(ctx)
		run(b, o)
		cancel()
		if err := stop(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(100*value(b, reg, "pxeagent_boot_events_dropped_total")/float64(b.N), "%dropped")
	})
	b.Run("queue full", func(b *testing.B) {
		o, _ := newObserved(b)
		run(b, o)
	})
}

// A disk image that is booted is read in thousands of pieces: the log has the first, and what goes wrong.
func TestFurtherPiecesAreNoLines(t *testing.T) {
	o, _ := newObserved(t)
	var text strings.Builder
	o.log = slog.New(slog.NewTextHandler(&text, nil))
	for i, outcome := range []boot.Outcome{boot.OK, boot.OK, boot.OK, boot.Failed} {
		tr := transferOf(1)
		tr.Name, tr.Artifact, tr.Outcome, tr.Further = fmt.Sprintf("/disk%d.iso", i), boot.Image, outcome, i > 0
		o.End(&tr)
	}
	if lines := text.String(); strings.Count(lines, "\n") != 2 || !strings.Contains(lines, "/disk0.iso") ||
		!strings.Contains(lines, "/disk3.iso") {
		t.Errorf("the log has\n%s", lines)
	}
}

// What loaders try and do without is no failure, in the log, the metrics and the boot.
func TestOptionalFilesAreNoFailures(t *testing.T) {
	o, reg := newObserved(t)
	var text strings.Builder
	o.log = slog.New(slog.NewTextHandler(&text, nil))
	ctx, cancel := context.WithCancel(context.Background())
	stop := o.Start(ctx)
	for i, name := range []string{"revocations_sku.efi", "grub/x86_64-efi/fs.lst", "pxelinux.cfg/0A00", "grubx64.efi"} {
		tr := transferOf(1)
		tr.Name, tr.Artifact, tr.Outcome, tr.Class = name, boot.NoFile, boot.NotFound, boot.UEFI
		tr.Proto, tr.Client = boot.TFTP, netip.AddrPortFrom(tr.Client.Addr(), uint16(2000+i))
		tr.Start, tr.Err = time.Now().Add(-time.Minute), fmt.Errorf("not there")
		o.End(&tr)
	}
	cancel()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	lines := text.String()
	if n := strings.Count(lines, "level=WARN msg=served"); n != 1 || strings.Count(lines, "outcome=optional") != 3 ||
		strings.Count(lines, "not there") != 1 {
		t.Errorf("the log has\n%s", lines)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if s := m.String(); f.GetName() == "pxeagent_requests_total" && strings.Contains(s, `"optional"`) &&
				m.GetCounter().GetValue() != 3 {
				t.Errorf("%s", s)
			}
		}
	}
}

// Loops that are broken for a check are no machine's.
func TestChecksBreakNoLoops(t *testing.T) {
	o, reg := newObserved(t)
	o.own = func(a *boot.Ask) bool { return a.Check }
	for _, check := range []bool{true, false, true} {
		tr := transferOf(1)
		tr.Name, tr.LoopBroken, tr.Check = "/ipxe.efi", true, check
		o.End(&tr)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	broken := 0.0
	for _, f := range families {
		if f.GetName() == "pxeagent_loops_broken_total" {
			for _, m := range f.GetMetric() {
				broken += m.GetCounter().GetValue()
			}
		}
	}
	if broken != 1 {
		t.Errorf("%v loops were broken of one", broken)
	}
}
