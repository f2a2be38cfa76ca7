package dhcp_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestRevert(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, c := range []struct {
		name   string
		first  string       // settings before pxeagent; "": none
		scene  func(*scene) // after configure
		change func(*dhcp.Revert)
		err    []error
		text   []string
		left   string // settings; written: as configured
		steps  []string
		kept   bool // the journal can still be reverted
		check  func(*testing.T, *scene, dhcp.Result)
	}{
		{name: "to nothing", steps: []string{"plan", "reverted", "wire-after"},
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if !r.Reverted || r.InSync || len(r.Changes) != 4 || len(r.Offers) == 0 {
					t.Errorf("result %+v", r)
				}
				j := s.journal()
				defer j.Close()
				if past := j.History(); len(past) != 1 || past[0].Why != dhcp.PastReverted {
					t.Errorf("history %+v", past)
				}
			}},
		{name: "to somebody's settings", first: edits[0], left: edits[0]},
		{name: "dry run", left: written, kept: true, steps: []string{"plan"}, change: func(v *dhcp.Revert) {
			v.DryRun = true
		},
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if r.InSync || r.Reverted || len(r.Changes) != 4 {
					t.Errorf("result %+v", r)
				}
			}},
		{name: "changed since", left: edits[1], kept: true, err: []error{dhcp.ErrChanged}, steps: []string{"plan"},
			scene: func(s *scene) { s.set(edits[1], true) }},
		{name: "dry run of changed since", left: edits[1], kept: true, err: []error{dhcp.ErrChanged}, scene: func(s *scene) {
			s.set(edits[1], true)
		},
			change: func(v *dhcp.Revert) { v.DryRun = true }},
		{name: "changed since, discarded", first: edits[0], left: edits[0], scene: func(s *scene) { s.set(edits[1], true) },
			change: func(v *dhcp.Revert) { v.DiscardLaterChanges = true },
			check: func(t *testing.T, s *scene, _ dhcp.Result) {
				j := s.journal()
				defer j.Close()
				if past := j.History(); len(past) != 2 || past[0].Why != dhcp.PastDiscarded ||
					string(past[0].State.Raw) != edits[1] {
					t.Errorf("what was discarded is not in the history: %+v", past)
				}
			}},
		{name: "already put back by hand", first: edits[0], left: edits[0], scene: func(s *scene) { s.set(edits[0], false) },
			check: func(t *testing.T, s *scene, r dhcp.Result) {
				if !r.InSync || string(s.read("loaded")) != edits[0] {
					t.Errorf("in sync %v, loaded %q", r.InSync, s.read("loaded"))
				}
			}},
		{name: "changed while it runs", left: edits[1], kept: true, err: []error{dhcp.ErrChanged}, scene: func(s *scene) {
			s.revert = func() error { s.set(edits[1], true); return nil }
		}},
		{name: "the server does not take them", left: written, kept: true, err: []error{dhcp.ErrReload},
			scene: func(s *scene) { s.revert = func() error { return dhcp.ErrReload } }},
		{name: "the disk is full", left: written, kept: true, err: []error{syscall.ENOSPC},
			scene: func(s *scene) { s.revert = func() error { return syscall.ENOSPC } }},
		{name: "reading fails", left: written, kept: true, err: []error{broken}, change: func(v *dhcp.Revert) {
			v.Server = unreadable{v.Server, broken}
		}},
		{name: "not probed", err: []error{dhcp.ErrNotProven}, text: []string{"not probed"}, change: func(v *dhcp.Revert) {
			v.Probe = nil
		}},
		{name: "not loaded", kept: true, err: []error{dhcp.ErrNotProven},
			text:  []string{"not as before", `still says "undionly.kpxe"`},
			scene: func(s *scene) { s.flaw["never loads"] = true }},
		{name: "silent now", kept: true, err: []error{dhcp.ErrNotProven}, text: []string{"makes no offer"},
			scene: func(s *scene) {
				s.wire = silence()
			}},
		{name: "probing fails", kept: true, err: []error{dhcp.ErrNotProven, broken},
			scene: func(s *scene) { s.probeErr = func() error { return broken } }},
		{name: "slow", scene: func(s *scene) {
			start := time.Now()
			s.wire = func(o []firmware.Offer) []firmware.Offer {
				if time.Since(start) < 5*time.Second {
					return nil
				}
				return o
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				if c.first != "" {
					s.set(c.first, true)
				}
				if _, err := s.run(); err != nil {
					t.Fatal(err)
				}
				left := c.left
				if left == written {
					left = string(s.read("settings"))
				}
				if c.scene != nil {
					c.scene(s)
				}
				r, err := s.runRevert(c.change)
				wantError(t, err, c.err, nil, c.text)
				if got := s.read("settings"); string(got) != left || left == nothing && got != nil {
					t.Errorf("the settings are %q, want %q", got, left)
				}
				if first, kept := s.revertible(); kept != c.kept || first != "" && first != c.first {
					t.Errorf("the journal can be reverted: %v, to %q", kept, first)
				}
				if c.steps != nil && !slices.Equal(s.steps, c.steps) {
					t.Errorf("steps %v, want %v", s.steps, c.steps)
				}
				if c.check != nil {
					c.check(t, s, r)
				}
				if !c.kept {
					return
				}
				// Once the cause is gone, the next revert makes it good.
				s.clearScene()
				if _, err := s.runRevert(func(v *dhcp.Revert) { v.DiscardLaterChanges = true }); err != nil {
					t.Errorf("the next revert: %v", err)
				}
				if got := s.read("loaded"); string(got) != c.first {
					t.Errorf("after the next revert %q is loaded, want %q", got, c.first)
				}
			})
		})
	}
}

// clearScene takes away everything that spoils the scene.
func (s *scene) clearScene() {
	clear(s.flaw)
	s.plan, s.beforeApply, s.afterApply, s.revert, s.wire, s.probeErr = nil, nil, nil, nil, nil, nil
}

func TestRevertWithoutJournal(t *testing.T) {
	s := newScene(t)
	s.set(edits[0], true)
	if _, err := s.runRevert(nil); !errors.Is(err, dhcp.ErrNoJournal) {
		t.Errorf("%v, want ErrNoJournal", err)
	}
	if s.touched() != [2]int{} || len(s.steps) != 0 {
		t.Errorf("touched %v, steps %v", s.touched(), s.steps)
	}
}

// A server may boot machines by settings that are not pxeagent's to read. What it said before the first change
// is in the journal, so that a revert recognises it.
func TestRevertRecognisesTheWireOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.wire = func(offers []firmware.Offer) []firmware.Offer {
			for i := range offers {
				if offers[i].File == "" {
					offers[i].File, offers[i].NextServer = "site.0", otherAddr
				}
			}
			return offers
		}
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.runRevert(nil); err != nil {
			t.Errorf("revert to settings that say nothing at a site that boots by others: %v", err)
		}
	})
}

func TestRevertStaysUnprovenWhereNobodyEverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.wire = silence()
		if _, err := s.run(); !errors.Is(err, dhcp.ErrNotProven) {
			t.Fatal(err)
		}
		if _, err := s.runRevert(nil); !errors.Is(err, dhcp.ErrNotProven) || s.read("settings") != nil {
			t.Errorf("%v, settings %q", err, s.read("settings"))
		}
	})
}
