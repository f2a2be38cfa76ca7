package dhcp_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/deploy/lab"
)

// The state folder's disk is full when configure comes to write its journal.
func TestConfigureOnAFullDisk(t *testing.T) {
	lab.Need(t)
	s := newScene(t)
	if err := syscall.Mount("tmpfs", s.state, "tmpfs", 0, "size=64k"); err != nil {
		lab.Missing(t, "leave to mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(s.state, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	filler := filepath.Join(s.state, "filler")
	fill := func(context.Context, dhcp.Boot) error {
		f, err := os.Create(filler)
		if err != nil {
			return err
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		return nil
	}

	s.conf.Preflight = fill
	if _, err := s.run(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("first configure: %v, want %v", err, syscall.ENOSPC)
	}
	untouched(t, s, dhcp.Result{})

	s.conf.Preflight = func(context.Context, dhcp.Boot) error { return os.Remove(filler) }
	if _, err := s.run(); err != nil {
		t.Fatal(err)
	}
	// The second change fails for want of room, and the first can still be reverted.
	was, touched := string(s.read("settings")), s.touched()
	s.conf.Preflight, s.conf.Want = fill, wantB
	if _, err := s.run(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("second configure: %v, want %v", err, syscall.ENOSPC)
	}
	if string(s.read("settings")) != was || s.touched() != touched {
		t.Errorf("the settings are %q, touched %v", s.read("settings"), s.touched())
	}

	// The disk fills up between the journal and the note that the settings were written: they are in force, and the
	// next run, which cannot know, loads them once more.
	s.conf.Preflight = func(context.Context, dhcp.Boot) error { return os.Remove(filler) }
	s.afterApply = func() error { return fill(t.Context(), wantB) }
	var complained string
	s.conf.Report = func(st dhcp.Step) {
		if st.Code == dhcp.StepJournal {
			complained = st.Error
		}
	}
	if r, err := s.run(); err != nil || !r.Wrote || complained == "" {
		t.Errorf("disk full after writing: %v, %+v, the journal's step says %q", err, r, complained)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.afterApply = nil
	for _, load := range []bool{true, false} {
		if r, err := s.run(); err != nil || !r.InSync || r.Reloaded != load {
			t.Errorf("afterwards: %v, %+v, want loaded again %v", err, r, load)
		}
	}
	if _, err := s.runRevert(nil); err != nil || s.read("settings") != nil {
		t.Errorf("revert: %v, settings %q", err, s.read("settings"))
	}
	if entries, err := os.ReadDir(filepath.Join(s.state, "journal")); err != nil || len(entries) != 2 {
		t.Errorf("beside the journal and its lock: %v, %v", entries, err)
	}
}
