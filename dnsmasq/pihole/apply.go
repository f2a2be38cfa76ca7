package pihole

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pxeagent/agent/dhcp"
)

// Apply writes the block, which restarts Pi-hole, and waits until its Dnsmasq runs again. Where it does not, the lines
// from before are put back, and the error wraps dhcp.ErrReload; ErrRejected: nothing was changed. dhcp.Configure reads
// back what it leaves: somebody may edit the lines while Pi-hole restarts, and dhcp.ErrChanged from here would say that
// nothing was written.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	return s.with(ctx, func(h *session) error {
		lines, now, err := h.now(ctx)
		if err == nil {
			err = p.Ready(now)
		}
		switch {
		case err != nil:
			return err
		case p.Empty():
			return h.restart(ctx)
		}
		err = h.write(ctx, lines, p.After)
		if !errors.Is(err, ErrStopped) {
			return err
		}
		return h.rollBack(ctx, p, err)
	})
}

// Revert puts back the block from before p, or removes it.
func (s *Server) Revert(ctx context.Context, p dhcp.Plan) error {
	return s.with(ctx, func(h *session) error {
		lines, now, err := h.now(ctx)
		switch {
		case err != nil:
			return err
		case now.Same(p.Before):
			return h.restart(ctx)
		case !now.Same(p.After):
			return dhcp.ErrChanged
		}
		return h.putBack(ctx, lines, p.Before)
	})
}

// now is the whole list, and what the block in it says.
func (h *session) now(ctx context.Context) ([]string, dhcp.State, error) {
	all, err := h.settings(ctx)
	if err != nil {
		return nil, dhcp.State{}, err
	}
	state, _, err := h.state(all.Misc.Lines.Value)
	return all.Misc.Lines.Value, state, err
}

// write puts s in the place of the block among lines, which are all that there are, and has it loaded.
func (h *session) write(ctx context.Context, lines []string, s dhcp.State) error {
	own, err := decode(s.Raw)
	if err != nil {
		return err
	}
	b := h.find(lines)
	list := slices.Concat(lines[:b.from], own, lines[b.to:])
	if list == nil {
		list = []string{}
	}
	body, err := json.Marshal(map[string]any{"config": map[string]any{"misc": map[string]any{"dnsmasq_lines": list}}})
	if err != nil {
		return err
	}
	before, err := h.process(ctx)
	if err != nil {
		return err
	}
	a, err := h.client.Do(ctx, h.request(http.MethodPatch, "/api/config", nil, body))
	switch {
	case err != nil:
		return fmt.Errorf("writing misc.dnsmasq_lines: %w", err)
	case a.Status != http.StatusOK:
		return fmt.Errorf("writing misc.dnsmasq_lines: %w", h.failure(a))
	}
	h.cfg.Log.Info("lines written", "server", h.cfg.URL.Host, "iface", h.cfg.Interface, "lines", len(own))
	return h.restarted(ctx, before)
}

// putBack is write of the lines from before, which are read back.
func (h *session) putBack(ctx context.Context, lines []string, s dhcp.State) error {
	if err := h.write(ctx, lines, s); err != nil {
		return err
	}
	_, now, err := h.now(ctx)
	if err == nil && !now.Same(s) {
		// Not dhcp.ErrChanged: something was written, and the journal must go on saying so.
		err = fmt.Errorf("%w: it has other lines of pxeagent's than were put back", ErrAPI)
	}
	if err != nil {
		return fmt.Errorf("reading misc.dnsmasq_lines back: %w", err)
	}
	return nil
}

// restart has Pi-hole load what is written.
func (h *session) restart(ctx context.Context) error {
	before, err := h.process(ctx)
	if err != nil {
		return err
	}
	a, err := h.client.Do(ctx, h.request(http.MethodPost, "/api/action/restartdns", nil, []byte("{}")))
	switch {
	case err != nil:
		return fmt.Errorf("restarting Pi-hole: %w", err)
	case a.Status != http.StatusOK:
		return fmt.Errorf("restarting Pi-hole: %w", h.failure(a))
	}
	return h.restarted(ctx, before)
}

// rollBack undoes an Apply with whose lines Dnsmasq does not run. A caller that gave up waiting still gets the old ones
// back.
func (h *session) rollBack(ctx context.Context, p dhcp.Plan, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.limit+30*time.Second)
	defer cancel()
	h.cfg.Log.Warn("putting the old lines back", "server", h.cfg.URL.Host, "iface", h.cfg.Interface, "err", cause)
	lines, now, err := h.now(ctx)
	if err == nil && !now.Same(p.After) {
		err = dhcp.ErrChanged
	}
	if err == nil {
		err = h.putBack(ctx, lines, p.Before)
	}
	if err != nil {
		return fmt.Errorf("%w; putting the old lines back: %w", cause, err)
	}
	return fmt.Errorf("%w: %w", dhcp.ErrReload, cause)
}
