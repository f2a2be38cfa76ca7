package dhcp_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// stoppedScene is one whose server does not run until settings are written, and runs from then on until it is stopped.
func stoppedScene(t *testing.T) *scene {
	s := newScene(t)
	s.stopped()
	return s
}

func (s *scene) stopped() {
	s.plan = func(p *dhcp.Plan) { p.Before.Stopped = !s.applied }
	s.wire = func(o []firmware.Offer) []firmware.Offer {
		if !s.applied {
			return nil
		}
		return o
	}
}

func TestRevertStopsWhatDidNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stoppedScene(t)
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		j := s.journal()
		first, _ := j.First()
		j.Close()
		if !first.Stopped {
			t.Error("the journal does not say that the server did not run")
		}
		// A dry run says it.
		r, err := s.runRevert(func(v *dhcp.Revert) { v.DryRun = true })
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Code != "stops" || r.Problems[0].Refuse || r.Stopped {
			t.Errorf("dry run: %v, %+v", err, r)
		}
		var got dhcp.Plan
		s.onRevert = func(p dhcp.Plan) { got = p }
		r, err = s.runRevert(nil)
		if err != nil || !r.Reverted || !r.Stopped || !got.Before.Stopped {
			t.Errorf("%v, %+v; the server was told %+v", err, r, got.Before)
		}
		if want := []string{"plan", "reverted", "wire-after"}; !slices.Equal(s.steps, want) {
			t.Errorf("steps %q, want %q", s.steps, want)
		}
		nothingToRevert(t, s, r)
	})
}

// Where it goes on to answer, that is not called done, and the next revert stops it again.
func TestRevertSaysWhereItStillRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stoppedScene(t)
		if _, err := s.run(); err != nil {
			t.Fatal(err)
		}
		s.wire = nil
		r, err := s.runRevert(nil)
		if !errors.Is(err, dhcp.ErrNotProven) || !strings.Contains(err.Error(), "still makes offers") || !r.Reverted {
			t.Errorf("%v, %+v", err, r)
		}
		s.stopped()
		if r, err := s.runRevert(nil); err != nil || !r.Stopped {
			t.Errorf("the next one: %v, %+v", err, r)
		}
	})
}

// That it did not run must have been heard: a server that was only being restarted is never stopped.
func TestSilenceMustBeHeard(t *testing.T) {
	for name, change := range map[string]func(*scene){
		"it answers all the same": func(s *scene) { s.wire = nil },
		"nobody listened":         func(s *scene) { s.conf.Probe = nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stoppedScene(t)
				change(s)
				if _, err := s.run(); err != nil && !errors.Is(err, dhcp.ErrNotProven) {
					t.Fatal(err)
				}
				s.wire = nil
				if r, err := s.runRevert(nil); err != nil || !r.Reverted || r.Stopped {
					t.Errorf("%v, %+v", err, r)
				}
			})
		})
	}
}

// A run that puts back what it wrote leaves the server as it was, too.
func TestPutBackStopsWhatDidNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stoppedScene(t)
		s.wire = func(o []firmware.Offer) []firmware.Offer {
			if !s.applied {
				return nil
			}
			o[0].File = "another.0"
			return o
		}
		r, err := s.run()
		if !errors.Is(err, dhcp.ErrReverted) || !r.Reverted || !r.Stopped || strings.Contains(err.Error(), "as before") {
			t.Errorf("%v, %+v", err, r)
		}
		nothingToRevert(t, s, r)
	})
}

// A journal says that a server did not run only where that is so: those without it mean what they always did.
func TestStoppedStateInJSON(t *testing.T) {
	for _, c := range []struct {
		s    dhcp.State
		text string
	}{
		{dhcp.State{Raw: []byte("x"), Stopped: true}, `{"boot":{},"raw":"x","stopped":true}`},
		{dhcp.State{Raw: []byte("x")}, `{"boot":{},"raw":"x"}`},
	} {
		text, err := json.Marshal(c.s)
		if err != nil || string(text) != c.text {
			t.Errorf("%s, %v; want %s", text, err, c.text)
		}
		var again dhcp.State
		if err := json.Unmarshal(text, &again); err != nil || again.Stopped != c.s.Stopped || !again.Same(c.s) {
			t.Errorf("%s: %+v, %v", text, again, err)
		}
	}
}
