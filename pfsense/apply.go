package pfsense

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// startWithin is how long a DHCP daemon may take to start. The writing program waits twice if it rolls back.
const startWithin = 10 * time.Second

// change is the argument of the writing program.
type change struct {
	Op     string `json:"op"`
	ID     string `json:"id"`
	Before keys   `json:"before"`
	After  keys   `json:"after"`
	Undo   bool   `json:"undo"` // settings that are already After are only loaded
	Stop   bool   `json:"stop"` // the daemon is stopped, and loads nothing
	// Custom changes Kea's custom configuration in the same step; nil: it is not touched.
	Custom  *customChange `json:"custom,omitempty"`
	Wait    float64       `json:"wait"` // seconds that the daemon may take to start
	Message string        `json:"message"`
}

// customChange changes the field custom_kea_config at Kea's top level; null is absent.
type customChange struct {
	Before *string `json:"before"`
	After  *string `json:"after"`
	// Element keeps the element kea, if nothing is left in it.
	Element bool      `json:"element"`
	Class   string    `json:"class"` // class that Kea checks first; "": none
	Kea     [2]string `json:"kea"`   // its program, and the configuration that pfSense generated last
}

// changed is its result.
type changed struct {
	Status string `json:"status"`
	Keys   *keys  `json:"keys"`
	Saved  bool   `json:"saved"`
	Ran    bool   `json:"ran"`
	Runs   bool   `json:"runs"`
	Detail string `json:"detail"`
}

// Apply writes p.After on the firewall and loads it, in one request. If the DHCP server does not start with it, the
// same request puts the old settings back: the error wraps dhcp.ErrReload. Other errors wrap dhcp.ErrChanged,
// ErrUnapplied, ErrNoSection, ErrStopped, or an error of the connection. If the answer does not come, the settings are
// read until that works, for at most 30 s: the new ones are loaded, and the old ones are said to be there still.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	if q, refused := p.Refused(); refused {
		return &dhcp.RefusedError{Problem: q}
	}
	return s.write(ctx, p.Before, p.After, false)
}

// Revert restores the settings from before p, with absent and empty ones kept apart, and loads them; or it stops the
// DHCP daemon, if that did not run then. Its errors are Apply's.
func (s *Server) Revert(ctx context.Context, p dhcp.Plan) error {
	return s.write(ctx, p.After, p.Before, true)
}

// write goes from one state to another. A write whose answer does not come is followed by reading. A write that
// reverts may be sent again: the program itself finds out how far the one before it came.
func (s *Server) write(ctx context.Context, from, to dhcp.State, undo bool) error {
	before, err := parseRecord(from.Raw)
	if err != nil {
		return err
	}
	after, err := parseRecord(to.Raw)
	if err != nil {
		return err
	}
	var said string
	once := func() error {
		at, err := s.resolve(ctx)
		if err != nil {
			return err
		}
		custom, err := s.customChange(ctx, at, before.class, after.class, undo)
		if err != nil {
			return err
		}
		said = message(at, from.Boot, to.Boot, undo)
		return s.runWrite(ctx, change{Op: "write", ID: at.ID, Before: before.keys, After: after.keys, Undo: undo,
			Stop: undo && to.Stopped, Custom: custom, Wait: s.wait.Seconds(), Message: said})
	}
	send := func() error {
		read := s.known != nil
		err := once()
		if s.known = nil; read && errors.Is(err, errNotBefore) && (before.class.present || after.class.present) {
			// Nothing was written. What else the site has for Kea may have changed since it was read, and is kept.
			err = once()
			s.known = nil
		}
		return err
	}
	if undo {
		return s.outlast(ctx, send)
	}
	err = send()
	if said == "" || !remote.IsOutage(err) || ctx.Err() != nil {
		return err
	}
	return s.unanswered(ctx, before, after, said, err)
}

// customChange is the change to Kea's custom configuration; nil where neither side has a class in it. The rest of it is
// neither in before nor in after: it is kept as it was read last.
func (s *Server) customChange(ctx context.Context, at iface, before, after setting, undo bool) (*customChange, error) {
	if !before.present && !after.present {
		return nil, nil
	}
	if s.known == nil {
		if _, _, err := s.readInterface(ctx); err != nil {
			return nil, err
		}
	}
	f := s.known
	if now := f.class(at); now != before && !(undo && now == after) {
		return nil, dhcp.ErrChanged
	}
	j, err := f.site()
	if err != nil {
		return nil, fmt.Errorf("%w: Kea's custom configuration: %w", dhcp.ErrChanged, err)
	}
	text := j.without(className(at.ID))
	if after.present {
		text = j.with(className(at.ID), after.text)
	}
	c := &customChange{Before: f.KeaCustom, After: f.KeaCustom, Kea: [2]string{s.kea.program, s.kea.file}}
	if text != j.text {
		c.Class, c.After, c.Element = after.text, nil, f.KeaElement || text == wasElement
		if field := encodeSite(text); field.present {
			c.After = &field.text
		}
	}
	return c, nil
}

// errNotBefore: the settings were others when the writing program began, and it wrote nothing.
var errNotBefore = fmt.Errorf("%w; nothing was written", dhcp.ErrChanged)

// err is the error that a result stands for.
func (c changed) err() error {
	runs := "the DHCP server is running with them"
	if !c.Runs {
		runs = "the DHCP server does not start with them either"
	}
	switch c.Status {
	case "done":
		return nil
	case "changed":
		return errNotBefore
	case "differs":
		return fmt.Errorf("%w: the new settings were overwritten at once, and were not loaded", dhcp.ErrChanged)
	case "unfit":
		return fmt.Errorf("%w: %q", ErrUnfit, c.Detail)
	case "dirty":
		return ErrUnapplied
	case "gone":
		return ErrNoSection
	case "rolled back":
		if !c.Runs {
			return fmt.Errorf("%w: the new settings stopped it, the old ones were restored, and %s", ErrStopped, runs)
		}
		return fmt.Errorf("%w; %s", dhcp.ErrReload, runs)
	case "running":
		return fmt.Errorf("%w: the settings are restored, and the DHCP server could not be stopped", ErrProgram)
	case "stopped":
		is := "the settings were not changed"
		if c.Saved {
			is = "the new settings are in place"
		}
		return fmt.Errorf("%w: %s%s", ErrStopped, is, c.because())
	case "unsaved":
		return fmt.Errorf("%w: the settings were not saved%s", ErrProgram, c.because())
	case "unloaded":
		return fmt.Errorf("%w: the settings were saved but not loaded%s", ErrProgram, c.because())
	}
	return fmt.Errorf("%w: status %q%s", ErrProgram, c.Status, c.because())
}

func (c changed) because() string {
	if c.Detail == "" {
		return ""
	}
	return fmt.Sprintf(": PHP reports %q", c.Detail)
}

// maxMessage is the longest entry in the firewall's configuration history, in bytes.
const maxMessage = 400

// message is the entry in the firewall's configuration history: who, where, what.
func message(at iface, from, to dhcp.Boot, undo bool) string {
	what := "turned off"
	if to != (dhcp.Boot{}) {
		var parts []string
		for _, c := range dhcp.Diff(from, to) {
			after := c.After
			if after == "" {
				after = "nothing"
			}
			parts = append(parts, c.Field+" "+after)
		}
		if what = strings.Join(parts, ", "); what == "" {
			what = "unchanged"
		}
	}
	if undo {
		what = "reverted: " + what
	}
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, fmt.Sprintf("pxeagent: network boot on %s: %s", at.label(), what))
	return plain[:min(len(plain), maxMessage)]
}
