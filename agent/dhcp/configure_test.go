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

// configureCase is one run of configure: what the server and the wire are like, and what must come of it.
type configureCase struct {
	name  string
	scene func(*scene)
	err   []error  // all of which it is; none: nil
	not   []error  // none of which it is
	text  []string // in the error, in this order
	left  string   // settings: nothing, written, or a record
	steps []string // nil: not looked at
	took  time.Duration
	check func(*testing.T, *scene, dhcp.Result)
}

var (
	errBroken = errors.New("broken pipe")
	wroteIt   = []string{"plan", "preflight", "baseline", "journal", "applied", "read-back", "verify"}
)

// recordOf are the settings of the fake server that say boot.
func recordOf(boot dhcp.Boot) string {
	b, err := json.Marshal(boot)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

// inPlace has the server with what is wanted, loaded.
func inPlace(s *scene) { s.set(recordOf(wantA), true) }

func runConfigure(t *testing.T, cases []configureCase) {
	for _, c := range cases {
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
					left = recordOf(wantA)
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

// Where something differs, it is written, loaded, and proven on the wire.
func TestConfigureWrites(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "writes and proves", left: written, steps: wroteIt, check: func(t *testing.T, s *scene, r dhcp.Result) {
			if !r.Wrote || r.InSync || r.Reverted || r.Verdict == nil {
				t.Errorf("result %+v", r)
			}
			if len(r.Changes) != 4 || len(r.Offers) != 4 || len(r.Baseline) != 4 {
				t.Errorf("%d changes, %d offers, %d before", len(r.Changes), len(r.Offers), len(r.Baseline))
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
	})
}

// Where nothing differs, nothing is written; what is not loaded is loaded once.
func TestConfigureInSync(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "in sync", left: written, scene: inPlace, steps: []string{"plan", "verify"}, check: untouched},
		{name: "in sync, an offer lost once", left: written, steps: []string{"plan", "verify", "verify"},
			check: untouched, scene: func(s *scene) {
				inPlace(s)
				s.wire = func(o []firmware.Offer) []firmware.Offer {
					if s.probes == 1 {
						return o[1:]
					}
					return o
				}
			}},
		{name: "in sync, saved and never loaded", left: written, steps: []string{"plan", "verify", "reloaded", "verify"},
			scene: func(s *scene) { s.set(recordOf(wantA), false) },
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if !r.Reloaded || r.Wrote || s.touched() != [2]int{0, 1} {
					t.Errorf("result %+v, touched %v", r, s.touched())
				}
			}},
		{name: "in sync, silent", left: written, steps: []string{"plan", "verify", "verify"},
			err:  []error{dhcp.ErrNotProven},
			text: []string{"the settings are as wanted", "makes no offer", "another network"}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.wire = silence() }},
		{name: "in sync, one client silent", left: written, err: []error{dhcp.ErrNotProven},
			text: []string{"only some clients"}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.wire = silence(firmware.ClientEFIBC) }},
		{name: "in sync, loading does not help", left: written, err: []error{dhcp.ErrNotProven},
			not:  []error{dhcp.ErrReverted},
			text: []string{"wrote nothing", "bios from 10.0.0.1: no boot file", "undionly.kpxe"}, took: 30 * time.Second,
			scene: func(s *scene) { s.set(recordOf(wantA), false); s.flaw["never loads"] = true },
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if r.Reverted || s.touched() != [2]int{0, 1} {
					t.Errorf("a run that wrote nothing touched %v; %+v", s.touched(), r)
				}
			}},
		{name: "in sync, loading fails", left: written, err: []error{dhcp.ErrReload}, scene: func(s *scene) {
			s.set(recordOf(wantA), false)
			s.beforeApply = func() error { return dhcp.ErrReload }
		}},
		{name: "in sync, probing fails", left: written, err: []error{errBroken}, not: []error{dhcp.ErrNotProven},
			check: untouched, scene: func(s *scene) {
				inPlace(s)
				s.probeErr = func() error { return errBroken }
			}},
		{name: "in sync, not probed", left: written, err: []error{dhcp.ErrNotProven}, text: []string{"not probed"},
			check: untouched,
			scene: func(s *scene) { inPlace(s); s.conf.Probe = nil }},
		{name: "in sync, another server", left: written, err: []error{dhcp.ErrForeign}, check: untouched,
			scene: func(s *scene) { inPlace(s); s.wire = joined(func(o *firmware.Offer) { o.File = "pxelinux.0" }) }},
	})
}

// What can be known before anything is written ends the run before anything is written.
func TestConfigureBeforeWriting(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "refused", left: nothing, err: []error{dhcp.ErrRefused}, text: []string{"the engine cannot"},
			steps: []string{"plan"}, check: untouched,
			scene: func(s *scene) {
				s.plan = func(p *dhcp.Plan) {
					p.Problems = []dhcp.Problem{{Code: "harmless"}, {Code: "engine", Text: "the engine cannot", Refuse: true}}
				}
			}},
		{name: "reading fails", left: nothing, err: []error{errBroken},
			text: []string{"reading the settings of fake server"}, check: untouched,
			scene: func(s *scene) { s.conf.Server = unreadable{s, errBroken} }},
		{name: "nothing serves", left: nothing, err: []error{dhcp.ErrNotServing},
			steps: []string{"plan", "preflight"}, check: untouched,
			scene: func(s *scene) {
				s.conf.Preflight = func(context.Context, dhcp.Boot) error { return dhcp.ErrNotServing }
			}},
		{name: "not checked whether anything serves", left: written, steps: slices.Delete(slices.Clone(wroteIt), 1, 2),
			scene: func(s *scene) { s.conf.Preflight = nil }},
		{name: "probing fails before the change", left: nothing, err: []error{errBroken}, check: untouched,
			scene: func(s *scene) { s.probeErr = func() error { return errBroken } }},
		{name: "no room for the journal", left: nothing, err: []error{os.ErrNotExist},
			text: []string{"writing the journal"}, check: untouched,
			scene: func(s *scene) {
				s.conf.Preflight = func(context.Context, dhcp.Boot) error { return os.RemoveAll(filepath.Join(s.state, "journal")) }
			}},
		{name: "changed after the plan", left: edits[0], err: []error{dhcp.ErrChanged}, check: nothingToRevert,
			scene: func(s *scene) {
				s.conf.Preflight = func(context.Context, dhcp.Boot) error { s.set(edits[0], true); return nil }
			}},
	})
}

// A server that does not take the settings, or not all of them, has the old ones afterwards.
func TestConfigureApplyFails(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "the server does not take them", left: nothing, err: []error{dhcp.ErrReload},
			not: []error{dhcp.ErrReverted}, check: nothingToRevert,
			scene: func(s *scene) { s.beforeApply = func() error { return dhcp.ErrReload } }},
		{name: "apply fails and writes nothing", left: nothing, err: []error{syscall.ENOSPC},
			not: []error{dhcp.ErrReverted}, check: nothingToRevert,
			scene: func(s *scene) { s.beforeApply = func() error { return syscall.ENOSPC } }},
		{name: "apply fails half-way", left: nothing, err: []error{errBroken, dhcp.ErrReverted}, check: nothingToRevert,
			scene: func(s *scene) { s.afterApply = func() error { return errBroken } }},
		{name: "apply is interrupted", left: nothing, err: []error{context.Canceled, dhcp.ErrReverted},
			check: nothingToRevert, scene: func(s *scene) {
				s.afterApply = func() error { s.cancel(nil); return context.Canceled }
			}},
		{name: "apply does not do what it says", left: nothing, text: []string{"did not keep them"}, err: []error{},
			check: nothingToRevert,
			scene: func(s *scene) {
				s.afterApply = func() error { return os.Remove(s.file("settings")) }
			}},
		{name: "changed after apply", left: edits[1], err: []error{dhcp.ErrChanged}, not: []error{dhcp.ErrReverted},
			scene: func(s *scene) {
				s.afterApply = func() error { s.set(edits[1], true); return nil }
			}},
	})
}

// Network boot is turned off, and that is proven as well.
func TestConfigureOff(t *testing.T) {
	runConfigure(t, []configureCase{
		{name: "turned off", left: nothing, scene: func(s *scene) { s.set(edits[0], true); s.conf.Want = dhcp.Boot{} },
			steps: []string{"plan", "baseline", "journal", "applied", "read-back", "verify"}},
		{name: "turned off, and it still boots machines", left: edits[0], err: []error{dhcp.ErrReverted},
			text:  []string{`still says "pxelinux.0"`},
			scene: func(s *scene) { s.set(edits[0], true); s.conf.Want = dhcp.Boot{}; s.flaw["never loads"] = true }},
		{name: "turned off, and it leases no more", left: edits[0], err: []error{dhcp.ErrReverted},
			text: []string{"makes no offer"},
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
	})
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
	r, err = s.conf.Run(t.Context())
	if err != nil || len(r.Problems) != 1 {
		t.Errorf("another server: %v, %v", r.Problems, err)
	} else if p := r.Problems[0]; p.Code != "other-server" || !strings.Contains(p.Text, "old.0") {
		t.Errorf("another server: %v", p)
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
