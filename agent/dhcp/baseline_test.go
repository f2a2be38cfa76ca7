package dhcp_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"pxeagent/agent/dhcp"
)

func TestUnfinishedRunIsLoadedWithoutProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.conf.Probe = nil
		// The process ends between the writing of the settings and the loading of them.
		s.flaw["never loads"] = true
		s.afterApply = func() error { panic("killed") }
		func() {
			defer func() { _ = recover() }()
			_, _ = s.run()
		}()
		s.flaw["never loads"], s.afterApply = false, nil
		r, err := s.run()
		if !errors.Is(err, dhcp.ErrNotProven) || !r.Reloaded || !r.InSync ||
			!bytes.Equal(s.read("loaded"), s.read("settings")) {
			t.Errorf("%+v, %v, loaded %q", r, err, s.read("loaded"))
		}
		if r, _ = s.run(); r.Reloaded {
			t.Error("loaded again, although the journal knows how the killed run ended")
		}
	})
}

func TestSomebodysLaterSettingsAreTheNewBaseline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		s.set(edits[0], true)
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(s.steps, dhcp.StepRebased) {
			t.Errorf("nobody was told: %v", s.steps)
		}
		j := s.journal()
		past := j.History()
		j.Close()
		if first, _ := s.revertible(); first != edits[0] || len(past) != 1 || past[0].Why != dhcp.PastChanged ||
			past[0].State.Raw != nil {
			t.Errorf("a revert would go to %q; history %+v", first, past)
		}
	})
}
