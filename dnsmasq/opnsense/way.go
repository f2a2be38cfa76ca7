package opnsense

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// way is network boot on one interface in one of the firewall's DHCP servers. What has to be done in the same order for
// both is in this file.
type way interface {
	// daemon is the DHCP server.
	daemon() daemon
	// plan is dhcp.Server.Plan. Whether the daemon runs is added to it, and what a restart does.
	plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error)
	// state is what our entries say, and their record.
	state(ctx context.Context) (dhcp.State, error)
	// write makes our entries those of to, by as few requests as that takes, and removes what an interrupted write left
	// and nobody uses. It loads nothing.
	write(ctx context.Context, to dhcp.State) error
	// between is dhcp.Piecewise.Between. It depends on its arguments only, and is false for records of the other way.
	between(now, from, to dhcp.State) bool
}

// daemon is a DHCP server of the firewall.
type daemon struct {
	Name    string // "Dnsmasq"
	Service string // path of its service in the API, with a slash at its end
	Load    string // the action that makes it load what is saved
}

// on does work on the configured interface, in the DHCP server that serves it.
func (s *Server) on(ctx context.Context, work func(*session, way) error) error {
	return s.with(ctx, func(h *session) error {
		c, err := h.choose(ctx)
		if err != nil {
			return err
		}
		return work(h, c.way)
	})
}

// Plan reads the firewall's settings. Its problems have the codes of dnsmasq.Server.Plan, and these refuse: dhcp-off,
// no-dhcp, kea, dnsmasq, ha-secondary, unsafe-text, tag-taken, tag-in-use. These are only shown: not-running,
// restarts-dns, applies-others, ha, leftover.
//
// Of Kea these refuse: bad-next-server, bad-boot-file, bad-url, bad-script, no-boot-file, manual-config, kea-version
// (before OPNsense 26.7.2 all machines are sent one boot file), still-boots. These are only shown: edited, other-archs,
// other-boot, other-option, mapping, autocollect.
//
// Errors wrap those of this package or of package remote.
func (s *Server) Plan(ctx context.Context, want dhcp.Boot) (p dhcp.Plan, err error) {
	err = s.with(ctx, func(h *session) error {
		c, err := h.choose(ctx)
		if err != nil {
			return err
		}
		p, err = c.way.plan(ctx, want)
		switch {
		case errors.Is(err, ErrNoInterface) && len(c.refusals) > 0:
			p.Problems = c.refusals // that DHCP server does not serve there, and so has nothing to plan with
			return nil
		case err != nil:
			return err
		}
		if want != (dhcp.Boot{}) {
			p.Problems = append(c.refusals, p.Problems...)
		}
		return h.around(ctx, c, &p)
	})
	return p, err
}

// Between makes it a dhcp.Piecewise: each entry is a request of its own.
func (s *Server) Between(now, from, to dhcp.State) bool {
	for _, w := range []way{&dnsmasqWay{}, &keaWay{}} {
		if w.between(now, from, to) {
			return true
		}
	}
	return false
}

var _ interface {
	dhcp.Server
	dhcp.Piecewise
} = (*Server)(nil)

// around adds to a plan what both daemons have in common.
func (h *session) around(ctx context.Context, c choice, p *dhcp.Plan) error {
	d := c.way.daemon()
	status, err := h.status(ctx, d)
	if err != nil {
		return err
	}
	p.Before.Stopped = status == statusStopped
	if p.Empty() && !p.Before.Stopped {
		return nil
	}
	if p.Before.Stopped {
		p.Problems = append(p.Problems, dhcp.Note("not-running",
			"%s does not run on the firewall: a change starts it, and a revert stops it again", d.Name))
	}
	if p.Empty() {
		return nil
	}
	p.Problems = append(p.Problems, c.notes...)
	p.Problems = append(p.Problems, dhcp.Note("applies-others",
		"%s restarts, which also loads whatever else somebody saved and did not apply: OPNsense does not tell whether "+
			"there is any", d.Name))
	return nil
}

// Apply writes our entries, restarts the DHCP server and waits until it runs. Where it does not run with them, the
// entries from before are put back, and the error wraps dhcp.ErrReload. Where the firewall rejects one of them, what
// was written before that is put back. dhcp.Configure reads back what it leaves: where that is not what was written,
// the journal must go on saying that something was, which dhcp.ErrChanged from here would deny.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	return s.on(ctx, func(h *session, w way) error {
		now, err := w.state(ctx)
		if err == nil {
			err = p.Ready(now)
		}
		switch {
		case err != nil:
			return err
		case p.Empty():
			if err := w.write(ctx, p.After); err != nil {
				return err
			}
			return h.load(ctx, w.daemon())
		}
		if err := w.write(ctx, p.After); err != nil {
			if ctx.Err() != nil || remote.IsOutage(err) {
				return err // what was written cannot be known now
			}
			return h.unwrite(ctx, w, p, err)
		}
		h.cfg.Log.Info("entries written", "server", h.cfg.URL.Host, "iface", h.cfg.Interface, "daemon", w.daemon().Name)
		err = h.load(ctx, w.daemon())
		if errors.Is(err, ErrStopped) {
			return h.rollBack(ctx, w, p, err)
		}
		return err
	})
}

// Revert puts back our entries from before p, and stops the DHCP server if it did not run then.
func (s *Server) Revert(ctx context.Context, p dhcp.Plan) error {
	return s.on(ctx, func(h *session, w way) error {
		now, err := w.state(ctx)
		switch {
		case err != nil:
			return err
		case now.Same(p.Before):
			if err := w.write(ctx, p.Before); err != nil {
				return err
			}
			return h.settle(ctx, w.daemon(), p.Before)
		case !now.Same(p.After) && !w.between(now, p.Before, p.After):
			return dhcp.ErrChanged
		}
		if err := w.write(ctx, p.Before); err != nil {
			return err
		}
		if err := h.settle(ctx, w.daemon(), p.Before); err != nil {
			return err
		}
		return h.readBack(ctx, w, p.Before)
	})
}

// settle has the daemon run as it did in s: with what is saved, or not at all. One that somebody turned off meanwhile
// stays off.
func (h *session) settle(ctx context.Context, d daemon, s dhcp.State) error {
	if s.Stopped {
		return h.stop(ctx, d)
	}
	now, err := h.status(ctx, d)
	if err != nil {
		return err
	}
	if now == statusDisabled {
		return nil
	}
	return h.load(ctx, d)
}

func (h *session) readBack(ctx context.Context, w way, want dhcp.State) error {
	now, err := w.state(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("reading the entries back: %w", err)
	case !now.Same(want):
		// Not ErrChanged: something was written, and the journal must go on saying so.
		return fmt.Errorf("%w: the entries that were read back are not those that were written", ErrAPI)
	}
	return nil
}

// undoLimit is for putting entries back, without the restart.
const undoLimit = 60 * time.Second

// undo puts the entries from before p back. A caller that gave up waiting still gets them.
func (h *session) undo(ctx context.Context, w way, p dhcp.Plan, cause error) error {
	h.cfg.Log.Warn("putting the old entries back", "server", h.cfg.URL.Host, "iface", h.cfg.Interface, "err", cause)
	now, err := w.state(ctx)
	switch {
	case err != nil:
		return err
	case !now.Same(p.Before) && !now.Same(p.After) && !w.between(now, p.Before, p.After):
		return dhcp.ErrChanged
	}
	if err := w.write(ctx, p.Before); err != nil {
		return err
	}
	return h.readBack(ctx, w, p.Before)
}

// unwrite undoes a write that the firewall rejected in the middle. Nothing was loaded yet.
func (h *session) unwrite(ctx context.Context, w way, p dhcp.Plan, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	if err := h.undo(ctx, w, p, cause); err != nil {
		return fmt.Errorf("%w; putting the old entries back: %w", cause, err)
	}
	return cause
}

// rollBack undoes an Apply with whose entries the daemon does not run.
func (h *session) rollBack(ctx context.Context, w way, p dhcp.Plan, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit+h.limit)
	defer cancel()
	if err := h.undo(ctx, w, p, cause); err != nil {
		return fmt.Errorf("%w; putting the old entries back: %w", cause, err)
	}
	err := h.settle(ctx, w.daemon(), p.Before)
	switch {
	case errors.Is(err, ErrStopped):
		return fmt.Errorf("%w with pxeagent's entries, and it does not with the old ones either, which were put back: "+
			"something else that is saved keeps it from starting", cause)
	case err != nil:
		return fmt.Errorf("%w; the old entries were put back, loading them: %w", cause, err)
	}
	return fmt.Errorf("%w: %w", dhcp.ErrReload, cause)
}
