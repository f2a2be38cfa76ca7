package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pxeagent/agent/dhcp"
)

// Apply writes the drop-in after `dnsmasq --test` accepted the whole configuration with it, and restarts
// Dnsmasq. If that does not start, the old drop-in is restored and loaded: the error wraps
// ErrRestart and dhcp.ErrReload. An error that wraps ErrRestart alone says what is on disk. dhcp.Configure reads back
// what it leaves.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	now, err := s.state()
	if err != nil {
		return err
	}
	if err := p.Ready(now); err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	if p.Empty() {
		return s.reload(ctx)
	}
	if err := s.test(ctx, p.After.Raw); err != nil {
		return err
	}
	if err := s.replace(p.Before, p.After.Raw); err != nil {
		return err
	}
	s.cfg.Log.Info("drop-in written", "iface", s.cfg.Interface, "file", s.file)
	if err := s.load(ctx); err != nil {
		return s.rollBack(ctx, p, err)
	}
	return nil
}

// Revert restores the drop-in from before p, byte for byte, and restarts Dnsmasq. The error is dhcp.ErrNotProven where
// it is another afterwards.
func (s *Server) Revert(ctx context.Context, p dhcp.Plan) error {
	err := s.unchanged(p.Before)
	if err == nil {
		return s.reload(ctx)
	}
	if !errors.Is(err, dhcp.ErrChanged) {
		return err
	}
	if err := s.replace(p.After, p.Before.Raw); err != nil {
		return err
	}
	s.cfg.Log.Info("drop-in reverted", "iface", s.cfg.Interface, "file", s.file)
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("%s was restored, but: %w", s.file, err)
	}
	if now, err := s.state(); err != nil || !now.Same(p.Before) {
		// Not dhcp.ErrChanged: something was written, and the journal must go on saying so.
		return fmt.Errorf("%w: %s was restored, and is another since: it was edited while Dnsmasq restarted",
			dhcp.ErrNotProven, s.file)
	}
	return nil
}

// reload loads the files on disk.
func (s *Server) reload(ctx context.Context) error {
	if err := s.sweep(); err != nil {
		return fmt.Errorf("removing the files of a killed run: %w", err)
	}
	return s.load(ctx)
}

// rollBack undoes an Apply with whose settings Dnsmasq did not start. A caller that gave up waiting still
// gets the old settings back.
func (s *Server) rollBack(ctx context.Context, p dhcp.Plan, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.cfg.StartLimit+30*time.Second)
	defer cancel()
	s.cfg.Log.Warn("restoring the old drop-in", "iface", s.cfg.Interface, "file", s.file, "err", cause)
	if err := s.replace(p.After, p.Before.Raw); err != nil {
		return fmt.Errorf("%w; restoring the old settings: %w", cause, err)
	}
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("%w; the old settings were restored in %s, but it does not start with them either: %w", cause,
			s.file, err)
	}
	return fmt.Errorf("%w: %w", dhcp.ErrReload, cause)
}
