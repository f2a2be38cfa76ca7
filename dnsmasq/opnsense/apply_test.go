package opnsense

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// stand is a stand-in firewall, and the backend for its lan.
func stand(t *testing.T, o opnsensetest.Options, change ...func(*Config)) (*opnsensetest.Firewall, *Server) {
	t.Helper()
	f, err := opnsensetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, openAt(t, f, change...)
}

// openAt is the backend for a stand-in's lan, as a new process opens it.
func openAt(t testing.TB, f *opnsensetest.Firewall, change ...func(*Config)) *Server {
	t.Helper()
	c := config(dhcptest.Reach(f))
	for _, set := range change {
		set(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.pause = time.Millisecond
	return s
}

func mustPlan(t testing.TB, s *Server, want dhcp.Boot) dhcp.Plan {
	t.Helper()
	p, err := s.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustApply(t *testing.T, s *Server, want dhcp.Boot) dhcp.Plan {
	t.Helper()
	p := mustPlan(t, s, want)
	if q, refused := p.Refused(); refused {
		t.Fatalf("refused: %+v", q)
	}
	if err := s.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func codes(p dhcp.Plan) []string {
	var all []string
	for _, q := range p.Problems {
		all = append(all, q.Code)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestApplyAndRevert(t *testing.T) {
	for _, version := range []string{"25.7", "26.1", "26.7.2"} {
		f, s := stand(t, opnsensetest.Options{Version: version})
		before := f.Config()
		want := dhcptest.FullBoot("10.77.0.5")
		p := mustApply(t, s, want)
		if got := codes(p); !slices.Equal(got, []string{"applies-others", "ha", "restarts-dns"}) {
			t.Errorf("%s: problems are %v", version, got)
		}
		again := mustPlan(t, s, want)
		if !again.Empty() || again.Before.Boot != want || len(again.Problems) > 0 {
			t.Errorf("%s: what was written is planned as %+v", version, again)
		}
		if n := f.Loads(); n != 1 {
			t.Errorf("%s: loaded %d times", version, n)
		}
		if err := s.Revert(t.Context(), p); err != nil {
			t.Fatalf("%s: revert: %v", version, err)
		}
		after := f.Config()
		if len(after.Dnsmasq.Boots)+len(after.Dnsmasq.Options)+len(after.Dnsmasq.Tags) != 0 ||
			len(after.Dnsmasq.Ranges) != len(before.Dnsmasq.Ranges) {
			t.Errorf("%s: a revert leaves %+v", version, after.Dnsmasq)
		}
	}
}

// Only what differs is written, and iPXE's boot entry is the last one afterwards.
func TestWritesWhatDiffers(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{})
	bios := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.5"), Script: "http://10.77.0.5/a.ipxe"}
	bios.NBP[firmware.BIOS] = "undionly.kpxe"
	mustApply(t, s, bios)
	writes := f.Writes()
	both := bios
	both.NBP[firmware.ARM64] = "snp-arm64.efi"
	p := mustApply(t, s, both)
	// A tag, a match and a boot entry; iPXE's is deleted and set again.
	if n := f.Writes() - writes; n != 5 {
		t.Errorf("one more architecture took %d writes, want 5", n)
	}
	boots := f.Config().Dnsmasq.Boots
	if last := boots[len(boots)-1]; last.Filename != both.Script || len(boots) != 3 {
		t.Errorf("boot entries are %+v", boots)
	}
	// A revert of that goes to the same record, though a person's look at the order may differ.
	if err := s.Revert(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if now := mustPlan(t, s, bios); !now.Empty() {
		t.Errorf("after the revert: %+v", dhcp.Diff(now.Before.Boot, now.After.Boot))
	}
	renamed := bios
	renamed.NBP[firmware.BIOS] = "pxelinux.0"
	writes = f.Writes()
	mustApply(t, s, renamed)
	if n := f.Writes() - writes; n != 1 {
		t.Errorf("another file took %d writes, want 1", n)
	}
	// Somebody moved iPXE's entry to the front: then it would never be used.
	f.Edit(func(c *opnsensetest.Config) { slices.Reverse(c.Dnsmasq.Boots) })
	if p := mustPlan(t, s, renamed); p.Empty() || !slices.Contains(codes(p), "edited") {
		t.Errorf("iPXE's boot entry stands first: %+v", p)
	}
	p = mustApply(t, s, renamed)
	if boots = f.Config().Dnsmasq.Boots; boots[len(boots)-1].Filename != bios.Script {
		t.Errorf("boot entries are %+v", boots)
	}
	if err := s.Revert(t.Context(), p); err != nil {
		t.Errorf("a revert to the order that somebody made: %v", err)
	}
	if boots = f.Config().Dnsmasq.Boots; boots[len(boots)-1].Filename == bios.Script {
		t.Errorf("the order that somebody made is not back: %+v", boots)
	}
}

// A write that ends in the middle can be reverted, and configured again.
func TestInterruptedWrite(t *testing.T) {
	want, other := dhcptest.FullBoot("10.77.0.5"), dhcptest.FullBoot("10.77.0.6")
	other.NBP[firmware.ARM32] = ""
	for n := 1; ; n++ {
		f, s := stand(t, opnsensetest.Options{})
		mustApply(t, s, other)
		s.limit = 100 * time.Millisecond
		p := mustPlan(t, s, want)
		posts, cut := 0, false
		f.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
			if r.Method == http.MethodPost {
				posts++
			}
			cut = cut || posts >= n && !strings.HasSuffix(r.URL.Path, "/restart")
			return opnsensetest.Fault{Cut: cut}
		})
		err := s.Apply(t.Context(), p)
		f.Fault(nil)
		if err == nil {
			if n < 8 {
				t.Errorf("a change took %d requests only", n)
			}
			return
		}
		if now := mustPlan(t, s, want); now.Before.Same(p.After) {
			continue // the cut was after the last write
		}
		if err := s.Revert(t.Context(), p); err != nil {
			t.Fatalf("cut at write %d: revert: %v", n, err)
		}
		if now := mustPlan(t, s, other); !now.Empty() {
			t.Fatalf("cut at write %d: a revert leaves %+v", n, now.Before.Boot)
		}
	}
}

func TestDaemonThatDoesNotStart(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{})
	p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
	// Somebody saves a line that kills Dnsmasq between the plan and our restart.
	f.Edit(func(c *opnsensetest.Config) {
		c.Dnsmasq.Boots = append(c.Dnsmasq.Boots, opnsensetest.Boot{UUID: "x", Filename: `a"b`})
	})
	err := s.Apply(t.Context(), p)
	if !errors.Is(err, ErrStopped) || errors.Is(err, dhcp.ErrReload) ||
		!strings.Contains(err.Error(), "it does not with the old ones either") {
		t.Errorf("apply: %v", err)
	}
	if q, refused := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5")).Refused(); !refused || q.Code != "unsafe-text" {
		t.Errorf("a quote in somebody's entry: %+v", q)
	}

	f, s = stand(t, opnsensetest.Options{SlowStart: 3})
	mustApply(t, s, dhcptest.FullBoot("10.77.0.5"))
	if !f.Running() {
		t.Error("it does not run")
	}
}

// A firewall whose Dnsmasq did not run has it started by a change, and stopped by its revert.
func TestStoppedBefore(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{})
	f.Stop()
	p := mustApply(t, s, dhcptest.FullBoot("10.77.0.5"))
	if !p.Before.Stopped || !slices.Contains(codes(p), "not-running") || !f.Running() {
		t.Errorf("plan %+v, running %v", p.Problems, f.Running())
	}
	if err := s.Revert(t.Context(), p); err != nil || f.Running() {
		t.Errorf("revert: %v, running %v", err, f.Running())
	}
}

// Entries in a Dnsmasq that was turned off for Kea can be removed, and it stays off.
func TestRevertWhereDnsmasqIsOff(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{})
	p := mustApply(t, s, dhcptest.FullBoot("10.77.0.5"))
	f.Edit(keaServes)
	f.Apply()
	if c := codes(mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))); !slices.Contains(c, "leftover") {
		t.Errorf("problems of a plan for Kea are %v", c)
	}
	s.cfg.Daemon = Dnsmasq
	if err := s.Revert(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if d := f.Config().Dnsmasq; len(d.Boots)+len(d.Options)+len(d.Tags) > 0 || f.Running() {
		t.Errorf("%+v, running %v", d, f.Running())
	}
}

// A firewall that stores something else than it was sent: the journal still says that something was written.
func TestStoredOtherwise(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{})
	j, err := dhcp.OpenJournal(t.TempDir(), "opnsense")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	f.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
		if strings.HasSuffix(r.URL.Path, "/restart") {
			f.Edit(func(c *opnsensetest.Config) { c.Dnsmasq.Boots[0].Filename = "UNDIONLY.KPX" })
		}
		return opnsensetest.Fault{}
	})
	_, err = dhcp.Configure{Server: s, Want: dhcptest.FullBoot("10.77.0.5"), Journal: j}.Run(t.Context())
	if !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("configure: %v", err)
	}
	f.Fault(nil)
	_, err = dhcp.Revert{Server: s, Journal: j, DiscardLaterChanges: true}.Run(t.Context())
	if d := f.Config().Dnsmasq; !errors.Is(err, dhcp.ErrNotProven) || len(d.Boots)+len(d.Options)+len(d.Tags) > 0 {
		t.Errorf("revert: %v, %+v", err, d)
	}
}
