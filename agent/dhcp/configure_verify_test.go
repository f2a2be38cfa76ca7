package dhcp_test

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Offers that stay wrong have the old settings put back.
func TestConfigurePutsBack(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "the wire never agrees", left: nothing, err: []error{dhcp.ErrReverted}, took: 30 * time.Second,
			text:  []string{"bios from 10.0.0.1", `want "undionly.kpxe"`, "put back"},
			scene: func(s *scene) { s.flaw["never loads"] = true }, check: nothingToRevert},
		{name: "somebody's settings are put back", left: edits[0], err: []error{dhcp.ErrReverted},
			text:  []string{`file says "pxelinux.0", want "undionly.kpxe"`},
			scene: func(s *scene) { s.set(edits[0], true); s.flaw["never loads"] = true }, check: nothingToRevert},
		{name: "the server falls silent", left: nothing, err: []error{dhcp.ErrReverted},
			text: []string{"bios: the DHCP server makes no offer", "before the change"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.applied {
						return nil
					}
					return o
				}
			}},
		{name: "one client is lost", left: nothing, err: []error{dhcp.ErrReverted},
			text: []string{"efi-bc: the DHCP server makes no offer"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.applied {
						return silence(firmware.ClientEFIBC)(o)
					}
					return o
				}
			}},
		{name: "offers are not as before after putting back", left: nothing, err: []error{dhcp.ErrReverted},
			text: []string{"after that offers are not as before", "no offer"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.probes > 1 {
						return nil
					}
					return o
				}
			}},
		{name: "putting back fails", left: written, err: []error{dhcp.ErrRevertFailed, syscall.EROFS},
			not:  []error{dhcp.ErrReverted},
			text: []string{"putting the old settings back failed", "by hand", "tried because", "bios"},
			scene: func(s *scene) {
				s.flaw["never loads"] = true
				s.revert = func() error { return syscall.EROFS }
			}, check: func(t *testing.T, s *scene, r dhcp.Result) {
				if _, ok := s.revertible(); !ok || !r.Wrote || r.Reverted {
					t.Errorf("journal %v, result %+v", ok, r)
				}
			}},
		{name: "putting somebody's settings back fails", left: written, err: []error{dhcp.ErrRevertFailed},
			text: []string{"by hand: ", "eth1.json", `under "before"`},
			scene: func(s *scene) {
				s.set(edits[0], true)
				s.flaw["never loads"] = true
				s.revert = func() error { return syscall.EROFS }
			}},
	})
}

// What cannot be seen on the wire is kept, and not called proven.
func TestConfigureNotProven(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "silent before and after", left: written, err: []error{dhcp.ErrNotProven},
			text:  []string{"likely cause", "another network"},
			scene: func(s *scene) { s.wire = silence() }, check: func(t *testing.T, s *scene, r dhcp.Result) {
				if _, ok := s.revertible(); !ok || !r.Wrote {
					t.Errorf("journal %v, result %+v", ok, r)
				}
			}},
		{name: "silent, as the plan said", left: written, err: []error{dhcp.ErrNotProven},
			text:  []string{"likely cause: it answers only known clients"},
			steps: []string{"plan", "preflight", "baseline", "journal", "applied", "read-back", "verify"},
			scene: func(s *scene) {
				s.wire = silence()
				s.plan = func(p *dhcp.Plan) { p.Silence = "it answers only known clients" }
			}},
		{name: "it answers although the plan thought that it might not",
			scene: func(s *scene) { s.plan = func(p *dhcp.Plan) { p.Silence = "it answers only known clients" } },
			left:  written},
		{name: "one client silent before and after", left: written, err: []error{dhcp.ErrNotProven},
			text:  []string{"answers only some clients"},
			scene: func(s *scene) { s.wire = silence(firmware.ClientEFIBC) }},
		{name: "only another server answers", left: written, err: []error{dhcp.ErrNotProven},
			text: []string{"only 10.0.0.2 answered"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer { return joined(func(*firmware.Offer) {})(o)[len(o):] }
			}},
		{name: "not probed", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"not probed"},
			scene: func(s *scene) { s.conf.Probe = nil },
			steps: []string{"plan", "preflight", "journal", "applied", "read-back"}},
		{name: "probing fails after the change", left: written, err: []error{dhcp.ErrNotProven, errBroken},
			scene: func(s *scene) {
				s.probeErr = func() error {
					if s.applied {
						return errBroken
					}
					return nil
				}
			}},
	})
}

// An interrupt does not keep the old settings from being put back.
func TestConfigureInterrupted(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "interrupted", left: nothing, err: []error{dhcp.ErrReverted, context.Canceled}, check: nothingToRevert,
			scene: func(s *scene) {
				s.flaw["never loads"] = true
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.probes == 4 {
						s.cancel(nil)
					}
					return o
				}
			}},
		{name: "interrupted during the baseline", left: nothing, err: []error{context.Canceled},
			not: []error{dhcp.ErrReverted}, check: untouched,
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer { s.cancel(nil); return o }
			}},
	})
}

// Other servers' offers: what they spoil is named, and the site's own settings stay.
func TestConfigureOtherServers(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "another server boots something else", left: written, err: []error{dhcp.ErrForeign},
			text:  []string{"from 10.0.0.2", `"pxelinux.0"`},
			scene: func(s *scene) { s.wire = joined(func(o *firmware.Offer) { o.File = "pxelinux.0" }) }, steps: wroteIt},
		{name: "another server leases addresses", left: written, err: []error{dhcp.ErrForeign},
			text:  []string{"no boot file"},
			scene: func(s *scene) { s.wire = joined(func(o *firmware.Offer) { o.File = "" }) }},
		{name: "another server that says the same", left: written,
			scene: func(s *scene) { s.wire = joined(func(*firmware.Offer) {}) }},
		{name: "a partner that follows", left: written, took: 4 * time.Second, scene: func(s *scene) {
			s.plan = func(p *dhcp.Plan) { p.Peers = []netip.Addr{otherAddr} }
			s.wire = joined(func(o *firmware.Offer) {
				if s.applied && time.Since(s.start) < 4*time.Second {
					o.File = ""
				}
			})
		}},
		{name: "a partner that does not", left: written, err: []error{dhcp.ErrForeign}, took: 30 * time.Second,
			text: []string{"failover partner"}, scene: func(s *scene) {
				s.plan = func(p *dhcp.Plan) { p.Peers = []netip.Addr{otherAddr} }
				s.wire = joined(func(o *firmware.Offer) { o.File = "" })
			}},
		{name: "a proxy beside a server that leases", left: written, steps: wroteIt, scene: func(s *scene) {
			s.plan = func(p *dhcp.Plan) { p.Proxy = true }
			s.wire = func(o []firmware.Offer) []firmware.Offer {
				both := joined(func(o *firmware.Offer) { o.File, o.NextServer = "", otherAddr })(o)
				for i := range o {
					both[i].Proxy, both[i].YourIP = true, netip.Addr{}
				}
				return both
			}
		}},
	})
}
