package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pxeagent/agent/dhcp"
)

// Apply writes the drop-in after `dnsmasq --test` took the whole configuration with it, and restarts
// Dnsmasq. If that does not start, the old drop-in is put back and loaded: the error wraps
// ErrRestart and dhcp.ErrReload. An error that wraps ErrRestart alone says what is on disk.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	if err := s.unchanged(p.Before); err != nil {
		return err
	}
	if p.Empty() {
		return s.reload(ctx)
	}
	if q, refused := p.Refused(); refused {
		return fmt.Errorf("the plan is refused: %s", q.Text)
	}
	if err := s.test(ctx, p.After.Raw); err != nil {
		return err
	}
	if err := s.replace(p.Before, p.After.Raw); err != nil {
		return err
	}
	s.cfg.Log.Info("drop-in written", "iface", s.cfg.Interface, "file", s.file)
	if err := s.load(ctx); err != nil {
		return s.putBack(ctx, p, err)
	}
	return s.unchanged(p.After)
}

// Revert makes the drop-in what it was before p, to the byte, and restarts Dnsmasq.
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
		return fmt.Errorf("%s is as it was before, but: %w", s.file, err)
	}
	return s.unchanged(p.Before)
}

// reload loads what is written.
func (s *Server) reload(ctx context.Context) error {
	if err := s.sweep(); err != nil {
		return fmt.Errorf("removing what a killed run left: %w", err)
	}
	return s.load(ctx)
}

// putBack undoes an Apply whose settings Dnsmasq did not come up with. Whoever gave up waiting still
// gets the old settings back.
func (s *Server) putBack(ctx context.Context, p dhcp.Plan, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.cfg.StartLimit+30*time.Second)
	defer cancel()
	s.cfg.Log.Warn("putting the old drop-in back", "iface", s.cfg.Interface, "file", s.file, "err", cause)
	if err := s.replace(p.After, p.Before.Raw); err != nil {
		return fmt.Errorf("%w; putting the old settings back: %w", cause, err)
	}
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("%w; the old settings are back in %s, but with them too: %w", cause, s.file, err)
	}
	return fmt.Errorf("%w: %w", dhcp.ErrReload, cause)
}
