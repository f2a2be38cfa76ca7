package dhcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

var otherAddr = netip.MustParseAddr("10.0.0.2")

// What is in place when a run has ended.
const (
	nothing = ""
	written = "A" // wantA
)

func TestConfigure(t *testing.T) {
	wroteIt := []string{"plan", "preflight", "baseline", "journal", "applied", "read-back", "verify"}
	broken := errors.New("broken pipe")
	recordA, err := json.Marshal(wantA)
	if err != nil {
		t.Fatal(err)
	}
	inPlace := func(s *scene) { s.set(string(recordA)+"\n", true) }
	for _, c := range []struct {
		name  string
		scene func(*scene)
		err   []error  // all of which it is; none: nil
		not   []error  // none of which it is
		text  []string // in the error, in this order
		left  string   // settings: nothing, written, or a record
		steps []string // nil: not looked at
		took  time.Duration
		check func(*testing.T, *scene, dhcp.Result)
	}{
		{name: "writes and proves", left: written, steps: wroteIt, check: func(t *testing.T, s *scene, r dhcp.Result) {
			if !r.Wrote || r.InSync || r.Reverted || len(r.Changes) != 4 || r.Verdict == nil || len(r.Offers) != 4 || len(r.Baseline) != 4 {
				t.Errorf("result %+v", r)
			}
			if first, ok := s.revertible(); !ok || first != "" {
				t.Errorf("a revert would go to %q, %v", first, ok)
			}
		}},
		{name: "takes the time that the server takes", left: written, took: 7 * time.Second, scene: func(s *scene) {
			s.wire = func(o []firmware.Offer) []firmware.Offer {
				if s.applied && time.Since(s.start) < 7*time.Second {
					return nil
				}
				return o
			}
		}},
		{name: "in sync", left: written, scene: inPlace, steps: []string{"plan", "verify"}, check: untouched},
		{name: "in sync, an offer lost once", left: written, steps: []string{"plan", "verify", "verify"}, check: untouched, scene: func(s *scene) {
			inPlace(s)
			s.wire = func(o []firmware.Offer) []firmware.Offer {
				if s.probes == 1 {
					return o[1:]
				}
				return o
			}
		}},
		{name: "in sync, saved and never loaded", left: written, steps: []string{"plan", "verify", "reloaded", "verify"},
			scene: func(s *scene) { s.set(string(recordA)+"\n", false) },
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if !r.Reloaded || r.Wrote || s.touched() != [2]int{0, 1} {
					t.Errorf("result %+v, touched %v", r, s.touched())
				}
			}},
		{name: "in sync, silent", left: written, steps: []string{"plan", "verify", "verify"}, err: []error{dhcp.ErrNotProven},
			text: []string{"the settings are as wanted", "makes no offer", "another network"}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.wire = silence() }},
		{name: "in sync, one client silent", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"only some clients"}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.wire = silence(firmware.ClientEFIBC) }},
		{name: "in sync, loading does not help", left: written, err: []error{dhcp.ErrNotProven}, not: []error{dhcp.ErrReverted},
			text: []string{"wrote nothing", "bios from 10.0.0.1: no boot file", "undionly.kpxe"}, took: 30 * time.Second,
			scene: func(s *scene) { s.set(string(recordA)+"\n", false); s.flaw["never loads"] = true },
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if r.Reverted || s.touched() != [2]int{0, 1} {
					t.Errorf("a run that wrote nothing touched %v; %+v", s.touched(), r)
				}
			}},
		{name: "in sync, loading fails", left: written, err: []error{dhcp.ErrReload}, scene: func(s *scene) {
			s.set(string(recordA)+"\n", false)
			s.beforeApply = func() error { return dhcp.ErrReload }
		}},
		{name: "in sync, probing fails", left: written, err: []error{broken}, not: []error{dhcp.ErrNotProven}, check: untouched, scene: func(s *scene) {
			inPlace(s)
			s.probeErr = func() error { return broken }
		}},
		{name: "in sync, not probed", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"not probed"}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.conf.Probe = nil }},
		{name: "in sync, another server", left: written, err: []error{dhcp.ErrForeign}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.wire = joined(func(o *firmware.Offer) { o.File = "pxelinux.0" }) }},

		{name: "refused", left: nothing, err: []error{dhcp.ErrRefused}, text: []string{"the engine cannot"}, steps: []string{"plan"}, check: untouched,
			scene: func(s *scene) {
				s.plan = func(p *dhcp.Plan) {
					p.Problems = []dhcp.Problem{{Code: "harmless"}, {Code: "engine", Text: "the engine cannot", Refuse: true}}
				}
			}},
		{name: "reading fails", left: nothing, err: []error{broken}, text: []string{"reading the settings of fake server"}, check: untouched,
			scene: func(s *scene) { s.conf.Server = unreadable{s, broken} }},
		{name: "nothing serves", left: nothing, err: []error{dhcp.ErrNotServing}, steps: []string{"plan", "preflight"}, check: untouched,
			scene: func(s *scene) {
				s.conf.Preflight = func(context.Context, dhcp.Boot) error { return dhcp.ErrNotServing }
			}},
		{name: "not checked whether anything serves", left: written, steps: slices.Delete(slices.Clone(wroteIt), 1, 2),
			scene: func(s *scene) { s.conf.Preflight = nil }},
		{name: "probing fails before the change", left: nothing, err: []error{broken}, check: untouched,
			scene: func(s *scene) { s.probeErr = func() error { return broken } }},
		{name: "no room for the journal", left: nothing, err: []error{os.ErrNotExist}, text: []string{"writing the journal"}, check: untouched,
			scene: func(s *scene) {
				s.conf.Preflight = func(context.Context, dhcp.Boot) error { return os.RemoveAll(filepath.Join(s.state, "journal")) }
			}},
		{name: "changed after the plan", left: edits[0], err: []error{dhcp.ErrChanged}, check: nothingToRevert, scene: func(s *scene) {
			s.conf.Preflight = func(context.Context, dhcp.Boot) error { s.set(edits[0], true); return nil }
		}},
		{name: "the server does not take them", left: nothing, err: []error{dhcp.ErrReload}, not: []error{dhcp.ErrReverted}, check: nothingToRevert,
			scene: func(s *scene) { s.beforeApply = func() error { return dhcp.ErrReload } }},
		{name: "apply fails and writes nothing", left: nothing, err: []error{syscall.ENOSPC}, not: []error{dhcp.ErrReverted}, check: nothingToRevert,
			scene: func(s *scene) { s.beforeApply = func() error { return syscall.ENOSPC } }},
		{name: "apply fails half-way", left: nothing, err: []error{broken, dhcp.ErrReverted}, check: nothingToRevert,
			scene: func(s *scene) { s.afterApply = func() error { return broken } }},
		{name: "apply is interrupted", left: nothing, err: []error{context.Canceled, dhcp.ErrReverted}, check: nothingToRevert, scene: func(s *scene) {
			s.afterApply = func() error { s.cancel(nil); return context.Canceled }
		}},
		{name: "apply does not do what it says", left: nothing, text: []string{"did not keep them"}, err: []error{}, check: nothingToRevert,
			scene: func(s *scene) {
				s.afterApply = func() error { return os.Remove(s.file("settings")) }
			}},
		{name: "changed after apply", left: edits[1], err: []error{dhcp.ErrChanged}, not: []error{dhcp.ErrReverted}, scene: func(s *scene) {
			s.afterApply = func() error { s.set(edits[1], true); return nil }
		}},

		{name: "the wire never agrees", left: nothing, err: []error{dhcp.ErrReverted}, took: 30 * time.Second,
			text:  []string{"bios from 10.0.0.1", `want "undionly.kpxe"`, "put back"},
			scene: func(s *scene) { s.flaw["never loads"] = true }, check: nothingToRevert},
		{name: "somebody's settings are put back", left: edits[0], err: []error{dhcp.ErrReverted}, text: []string{`file says "pxelinux.0", want "undionly.kpxe"`},
			scene: func(s *scene) { s.set(edits[0], true); s.flaw["never loads"] = true }, check: nothingToRevert},
		{name: "the server falls silent", left: nothing, err: []error{dhcp.ErrReverted}, text: []string{"bios: the DHCP server makes no offer", "before the change"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.applied {
						return nil
					}
					return o
				}
			}},
		{name: "one client is lost", left: nothing, err: []error{dhcp.ErrReverted}, text: []string{"efi-bc: the DHCP server makes no offer"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.applied {
						return silence(firmware.ClientEFIBC)(o)
					}
					return o
				}
			}},
		{name: "the wire is not as it was after putting back", left: nothing, err: []error{dhcp.ErrReverted}, text: []string{"after that the wire is not as it was", "no offer"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.probes > 1 {
						return nil
					}
					return o
				}
			}},
		{name: "putting back fails", left: written, err: []error{dhcp.ErrRevertFailed, syscall.EROFS}, not: []error{dhcp.ErrReverted},
			text: []string{"putting the old settings back failed", "by hand", "tried because", "bios"},
			scene: func(s *scene) {
				s.flaw["never loads"] = true
				s.revert = func() error { return syscall.EROFS }
			}, check: func(t *testing.T, s *scene, r dhcp.Result) {
				if _, ok := s.revertible(); !ok || !r.Wrote || r.Reverted {
					t.Errorf("journal %v, result %+v", ok, r)
				}
			}},
		{name: "putting somebody's settings back fails", left: written, err: []error{dhcp.ErrRevertFailed}, text: []string{"by hand: ", "eth1.json", `under "before"`},
			scene: func(s *scene) {
				s.set(edits[0], true)
				s.flaw["never loads"] = true
				s.revert = func() error { return syscall.EROFS }
			}},
		{name: "silent before and after", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"likely cause", "another network"},
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
		{name: "one client silent before and after", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"answers only some clients"},
			scene: func(s *scene) { s.wire = silence(firmware.ClientEFIBC) }},
		{name: "only another server answers", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"only 10.0.0.2 answered"},
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer { return joined(func(*firmware.Offer) {})(o)[len(o):] }
			}},
		{name: "not probed", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"not probed"}, scene: func(s *scene) { s.conf.Probe = nil },
			steps: []string{"plan", "preflight", "journal", "applied", "read-back"}},
		{name: "probing fails after the change", left: written, err: []error{dhcp.ErrNotProven, broken}, scene: func(s *scene) {
			s.probeErr = func() error {
				if s.applied {
					return broken
				}
				return nil
			}
		}},
		{name: "interrupted", left: nothing, err: []error{dhcp.ErrReverted, context.Canceled}, check: nothingToRevert, scene: func(s *scene) {
			s.flaw["never loads"] = true
			s.wire = func(o []firmware.Offer) []firmware.Offer {
				if s.probes == 4 {
					s.cancel(nil)
				}
				return o
			}
		}},
		{name: "interrupted during the baseline", left: nothing, err: []error{context.Canceled}, not: []error{dhcp.ErrReverted}, check: untouched,
			scene: func(s *scene) {
				s.wire = func(o []firmware.Offer) []firmware.Offer { s.cancel(nil); return o }
			}},

		{name: "another server boots something else", left: written, err: []error{dhcp.ErrForeign}, text: []string{"from 10.0.0.2", `"pxelinux.0"`},
			scene: func(s *scene) { s.wire = joined(func(o *firmware.Offer) { o.File = "pxelinux.0" }) }, steps: wroteIt},
		{name: "another server leases addresses", left: written, err: []error{dhcp.ErrForeign}, text: []string{"no boot file"},
			scene: func(s *scene) { s.wire = joined(func(o *firmware.Offer) { o.File = "" }) }},
		{name: "another server that says the same", left: written, scene: func(s *scene) { s.wire = joined(func(*firmware.Offer) {}) }},
		{name: "a partner that follows", left: written, took: 4 * time.Second, scene: func(s *scene) {
			s.plan = func(p *dhcp.Plan) { p.Peers = []netip.Addr{otherAddr} }
			s.wire = joined(func(o *firmware.Offer) {
				if s.applied && time.Since(s.start) < 4*time.Second {
					o.File = ""
				}
			})
		}},
		{name: "a partner that does not", left: written, err: []error{dhcp.ErrForeign}, took: 30 * time.Second, text: []string{"failover partner"}, scene: func(s *scene) {
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

		{name: "turned off", left: nothing, scene: func(s *scene) { s.set(edits[0], true); s.conf.Want = dhcp.Boot{} },
			steps: []string{"plan", "baseline", "journal", "applied", "read-back", "verify"}},
		{name: "turned off, and it still boots machines", left: edits[0], err: []error{dhcp.ErrReverted}, text: []string{`still says "pxelinux.0"`},
			scene: func(s *scene) { s.set(edits[0], true); s.conf.Want = dhcp.Boot{}; s.flaw["never loads"] = true }},
		{name: "turned off, and it leases no more", left: edits[0], err: []error{dhcp.ErrReverted}, text: []string{"makes no offer"},
			scene: func(s *scene) {
				s.set(edits[0], true)
				s.conf.Want = dhcp.Boot{}
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.applied {
						return nil
					}
					return o
				}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				if c.scene != nil {
					c.scene(s)
				}
				r, err := s.run()
				took := time.Since(s.start)
				wantError(t, err, c.err, c.not, c.text)
				left := c.left
				if left == written {
					left = string(recordA) + "\n"
				}
				if got := s.read("settings"); string(got) != left || left == nothing && got != nil {
					t.Errorf("the settings are %q, want %q", got, left)
				}
				if c.steps != nil && !slices.Equal(s.steps, c.steps) {
					t.Errorf("steps %v, want %v", s.steps, c.steps)
				}
				// A look at the wire that has begun is not cut short, and putting back takes its own time.
				if c.took != 0 && (took < c.took || took > c.took+2*time.Second && !r.Reverted) {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if c.check != nil {
					c.check(t, s, r)
				}
				if _, err := json.Marshal(r); err != nil {
					t.Errorf("the result in JSON: %v", err)
				}
			})
		})
	}
}

func TestDryRunNeedsNoJournal(t *testing.T) {
	s := newScene(t)
	s.conf.DryRun = true
	r, err := s.conf.Run(t.Context())
	if err != nil || r.InSync || len(r.Changes) == 0 || s.touched() != [2]int{} {
		t.Errorf("%+v, %v, %d probes", r, err, s.probes)
	}
	// It looks at the wire, for what a plan cannot know; that it cannot is no failure.
	s.wire = joined(func(o *firmware.Offer) { o.File = "old.0" })
	if r, err := s.conf.Run(t.Context()); err != nil || len(r.Problems) != 1 || r.Problems[0].Code != "other-server" || !strings.Contains(r.Problems[0].Text, "old.0") {
		t.Errorf("another server: %v, %v", r.Problems, err)
	}
	s.probeErr = func() error { return errors.New("no right to a raw socket") }
	if r, err := s.conf.Run(t.Context()); err != nil || len(r.Problems) != 0 {
		t.Errorf("no way to look: %v, %v", r.Problems, err)
	}
	s.conf.DryRun, s.probeErr = false, nil
	if _, err := s.conf.Run(t.Context()); err == nil || s.touched() != [2]int{} {
		t.Errorf("without a journal: %v, touched %v", err, s.touched())
	}
}
