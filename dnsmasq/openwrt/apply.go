package openwrt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"pxeagent/agent/dhcp"
)

// reloadName is of a section that is added and deleted in one change, so that the router loads what is there.
const reloadName = "reload"

// Apply writes the sections and has Dnsmasq load them. The router puts the old ones back by itself after two minutes,
// unless Keep is called. Where Dnsmasq does not run with the new ones they are put back at once, and the error wraps
// dhcp.ErrReload.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	return s.with(ctx, func(h *session) error {
		all, err := h.sections(ctx)
		if err != nil {
			return err
		}
		now, _, err := h.state(all)
		if err == nil {
			err = p.Ready(now)
		}
		switch {
		case err != nil:
			return err
		case p.Empty():
			return h.reload(ctx)
		}
		if err := h.write(ctx, all, p.After); err != nil {
			return err
		}
		h.others = h.rest(all)
		err = h.apply(ctx, true)
		if !errors.Is(err, ErrStopped) {
			return err
		}
		return h.rollBack(ctx, err)
	})
}

// Keep tells the router to keep what Apply wrote.
func (s *Server) Keep(ctx context.Context, p dhcp.Plan) error {
	return s.with(ctx, func(h *session) error {
		status, err := h.call(ctx, "uci", "confirm", nil, nil)
		switch {
		case err != nil:
			return fmt.Errorf("confirming the change at the router: %w", err)
		case status == statusOK:
			h.pending = false
			return nil
		}
		// Its time is over, or somebody else applied meanwhile, which ends the waiting: what is there counts.
		h.pending = false
		all, err := h.sections(ctx)
		if err != nil {
			return err
		}
		now, _, err := h.state(all)
		if err == nil && !now.Same(p.After) {
			err = fmt.Errorf("confirming the change at the router: the answer was %v, and the change is gone", status)
		}
		return err
	})
}

// Revert goes back to the sections from before p. A change that waits to be kept is undone by the router itself.
func (s *Server) Revert(ctx context.Context, p dhcp.Plan) error {
	return s.with(ctx, func(h *session) error {
		all, err := h.sections(ctx)
		if err != nil {
			return err
		}
		now, _, err := h.state(all)
		switch {
		case err != nil:
			return err
		case now.Same(p.Before):
			return h.reload(ctx)
		case !now.Same(p.After):
			return dhcp.ErrChanged
		case h.pending && h.others != nil && bytes.Equal(h.others, h.rest(all)):
			// The router puts the whole old file back, comments too: nobody else changed it meanwhile.
			if err := h.undo(ctx); err != nil {
				return err
			}
			return h.readBack(ctx, p.Before)
		}
		if err := h.write(ctx, all, p.Before); err != nil {
			return err
		}
		if err := h.apply(ctx, true); err != nil {
			return err
		}
		if err := h.do(ctx, "uci", "confirm", nil, nil); err != nil {
			return err
		}
		h.pending = false
		return h.readBack(ctx, p.Before)
	})
}

// rest are all sections but ours, in a form that can be compared.
func (s *Server) rest(all []section) []byte {
	text, err := json.Marshal(slices.DeleteFunc(slices.Clone(all), func(sec section) bool { return s.owns(sec.Name) }))
	if err != nil {
		return nil
	}
	return text
}

func (h *session) readBack(ctx context.Context, want dhcp.State) error {
	all, err := h.sections(ctx)
	if err != nil {
		return err
	}
	now, _, err := h.state(all)
	if err == nil && !now.Same(want) {
		// Not dhcp.ErrChanged: something was written, and the journal must go on saying so.
		err = fmt.Errorf("%w: it has other sections of pxeagent's than were put back", ErrUbus)
	}
	return err
}

// write puts the sections of s in the place of ours among all, in this session alone.
func (h *session) write(ctx context.Context, all []section, s dhcp.State) error {
	if err := h.clear(ctx); err != nil {
		return err
	}
	list, err := decode(s.Raw)
	if err != nil {
		return err
	}
	for _, sec := range all {
		if !h.owns(sec.Name) {
			continue
		}
		if err := h.do(ctx, "uci", "delete", map[string]any{"config": "dhcp", "section": sec.Name}, nil); err != nil {
			return err
		}
	}
	for _, sec := range list {
		if err := h.do(ctx, "uci", "add", map[string]any{
			"config": "dhcp", "type": sec.Type, "name": sec.Name, "values": sec.Options,
		}, nil); err != nil {
			return err
		}
	}
	return nil
}

// clear ends what a killed run left in this user's session: what was applied and waits is kept, as it is what
// was compared with the plan; what was not applied is dropped.
func (h *session) clear(ctx context.Context) error {
	status, err := h.call(ctx, "uci", "confirm", nil, nil)
	if err != nil {
		return err
	}
	if status == statusOK {
		h.cfg.Log.Info("a change that waited was confirmed", "server", h.cfg.URL.Host)
	}
	h.pending = false
	return h.do(ctx, "uci", "revert", map[string]any{"config": "dhcp"}, nil)
}

// apply has the router take over what was written in this session, and waits until Dnsmasq runs with it.
func (h *session) apply(ctx context.Context, restarted bool) error {
	before, err := h.daemons(ctx)
	if err != nil {
		return err
	}
	if err := h.do(ctx, "uci", "apply", map[string]any{"rollback": true, "timeout": int(keepLimit / time.Second)},
		nil); err != nil {
		return fmt.Errorf("applying the change at the router: %w", err)
	}
	h.pending = true
	h.cfg.Log.Info("settings applied, to be confirmed", "server", h.cfg.URL.Host, "network", h.cfg.Interface)
	return h.loaded(ctx, before, restarted)
}

// reload has the router load what is there, without a change: a section is added and deleted again.
func (h *session) reload(ctx context.Context) error {
	if err := h.clear(ctx); err != nil {
		return err
	}
	name := "pxeagent_" + h.cfg.Interface + "_" + reloadName
	for _, c := range []struct {
		method string
		args   map[string]any
	}{
		{"add", map[string]any{"config": "dhcp", "type": "match", "name": name, "values": map[string]any{"match": "175"}}},
		{"delete", map[string]any{"config": "dhcp", "section": name}},
	} {
		if err := h.do(ctx, "uci", c.method, c.args, nil); err != nil {
			return err
		}
	}
	if err := h.apply(ctx, false); err != nil {
		return err
	}
	if err := h.do(ctx, "uci", "confirm", nil, nil); err != nil {
		return err
	}
	h.pending = false
	return nil
}

// undo has the router put the old file back, and waits until Dnsmasq runs with it.
func (h *session) undo(ctx context.Context) error {
	before, err := h.daemons(ctx)
	if err != nil {
		return err
	}
	if err := h.do(ctx, "uci", "rollback", nil, nil); err != nil {
		return fmt.Errorf("rolling back at the router: %w", err)
	}
	h.pending = false
	if err := h.do(ctx, "uci", "revert", map[string]any{"config": "dhcp"}, nil); err != nil {
		return err
	}
	return h.loaded(ctx, before, true)
}

// rollBack undoes an Apply with whose settings Dnsmasq does not run. A caller that gave up waiting still gets the old
// ones back; where this fails the router does it by itself.
func (h *session) rollBack(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.limit+10*time.Second)
	defer cancel()
	h.cfg.Log.Warn("putting the old settings back", "server", h.cfg.URL.Host, "network", h.cfg.Interface, "err", cause)
	if err := h.undo(ctx); err != nil {
		return fmt.Errorf("%w; putting the old settings back: %w; the router does it by itself within %v", cause, err,
			keepLimit)
	}
	return fmt.Errorf("%w: %w", dhcp.ErrReload, cause)
}
