package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/durable"
)

// replace changes the drop-in from was to raw (nil: no file), and reads it back. At every moment
// the folder has the complete old drop-in or the new one, and nothing else that Dnsmasq reads.
func (s *Server) replace(was dhcp.State, raw []byte) error {
	if err := s.sweep(); err != nil {
		return fmt.Errorf("removing the files of a killed run: %w", err)
	}
	if raw != nil {
		s.step("temporary file")
		if err := s.writeTemp(raw); err != nil {
			os.Remove(s.temp)
			return fmt.Errorf("writing the drop-in: %w", err)
		}
	}
	// Compared once more: the test of the configuration takes time.
	if err := s.unchanged(was); err != nil {
		os.Remove(s.temp)
		return err
	}
	s.step("drop-in")
	var err error
	if raw != nil {
		err = os.Rename(s.temp, s.file)
	} else if err = os.Remove(s.file); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = durable.SyncDir(s.cfg.ConfDir)
	}
	if err != nil {
		os.Remove(s.temp)
		return fmt.Errorf("writing the drop-in: %w", err)
	}
	now, err := s.state()
	if err != nil {
		return err
	}
	if !now.Same(dhcp.State{Raw: raw}) {
		return fmt.Errorf("writing the drop-in: %s reads back otherwise than it was written", s.file)
	}
	return nil
}

// unchanged returns ErrChanged if the drop-in is not was.
func (s *Server) unchanged(was dhcp.State) error {
	now, err := s.state()
	if err != nil {
		return err
	}
	if !now.Same(was) {
		return fmt.Errorf("%s: %w", s.file, dhcp.ErrChanged)
	}
	return nil
}

// writeTemp writes raw to disk under the temporary name.
func (s *Server) writeTemp(raw []byte) error {
	f, err := os.OpenFile(s.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	// Dnsmasq may read its files as another user, so our umask must not apply.
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

// sweep removes the temporary file of a run that was killed.
func (s *Server) sweep() error {
	if err := os.Remove(s.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
