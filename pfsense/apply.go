package pfsense

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
)

// startWithin is how long a DHCP daemon may take to start. A program that rolls back waits twice.
const startWithin = 10 * time.Second

// change is the arguments of the writing program.
type change struct {
	Op     string `json:"op"`
	ID     string `json:"id"`
	Before keys   `json:"before"`
	After  keys   `json:"after"`
	Undo   bool   `json:"undo"` // settings that are After already are only loaded
	// Custom changes Kea's own configuration in the same step; nil: it is not looked at.
	Custom  *customChange `json:"custom,omitempty"`
	Wait    float64       `json:"wait"` // seconds that the daemon may take to start
	Message string        `json:"message"`
}

// customChange is of the field custom_kea_config at Kea's top; null is absent.
type customChange struct {
	Before *string   `json:"before"`
	After  *string   `json:"after"`
	Class  string    `json:"class"` // what Kea is asked about before; "" for nothing
	Kea    [2]string `json:"kea"`   // its program and its configuration as pfSense made it last
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

// Apply writes p.After on the firewall and loads it, in one request. Where the DHCP server does not start with it the same request
// puts the old settings back: the error wraps dhcp.ErrReload. Other errors wrap dhcp.ErrChanged, ErrUnapplied, ErrNoSection,
// ErrStopped, or what reaching the firewall gave; after ErrTimeout and ErrUnreachable it may have been carried out.
func (s *Server) Apply(ctx context.Context, p dhcp.Plan) error {
	if q, refused := p.Refused(); refused {
		return fmt.Errorf("the plan is refused: %s", q.Text)
	}
	return s.write(ctx, p.Before, p.After, false)
}

// Revert makes the settings what they were before p, absent and empty ones told apart, and loads them. Its errors are Apply's.
func (s *Server) Revert(ctx context.Context, p dhcp.Plan) error {
	return s.write(ctx, p.After, p.Before, true)
}

func (s *Server) write(ctx context.Context, from, to dhcp.State, undo bool) error {
	before, err := parseRecord(from.Raw)
	if err != nil {
		return err
	}
	after, err := parseRecord(to.Raw)
	if err != nil {
		return err
	}
	at, err := s.at(ctx)
	if err != nil {
		return err
	}
	custom, err := s.customChange(ctx, at, before.class, after.class, undo)
	if err != nil {
		return err
	}
	p, err := newProgram("write", change{Op: "write", ID: at.ID, Before: before.keys, After: after.keys, Undo: undo, Custom: custom, Wait: s.wait.Seconds(),
		Message: message(at, from.Boot, to.Boot, undo)})
	if err != nil {
		return err
	}
	raw, err := s.run.run(ctx, p)
	if err != nil {
		return err
	}
	var done changed
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("%w: its answer to a change cannot be understood: %w", ErrProgram, err)
	}
	return done.err()
}

// customChange is what has to become of Kea's own configuration; nil where neither side has a class in it. What else stands there is
// nobody's before and nobody's after: it is read now, and stays.
func (s *Server) customChange(ctx context.Context, at port, before, after setting, undo bool) (*customChange, error) {
	if !before.there && !after.there {
		return nil, nil
	}
	f, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if now := f.class(at); now != before && !(undo && now == after) {
		return nil, dhcp.ErrChanged
	}
	j, err := decodeSite(f.keaField())
	if err != nil {
		return nil, fmt.Errorf("%w: the custom configuration for Kea: %w", dhcp.ErrChanged, err)
	}
	text := j.without(className(at.ID))
	if after.there {
		text = j.with(className(at.ID), after.text)
	}
	c := &customChange{Before: f.KeaCustom, After: f.KeaCustom, Kea: [2]string{s.kea.program, s.kea.file}}
	if text != j.text {
		c.Class, c.After = after.text, nil
		if field := encodeSite(text); field.there {
			c.After = &field.text
		}
	}
	return c, nil
}

// err is what a result means.
func (c changed) err() error {
	runs := "the DHCP server runs with them"
	if !c.Runs {
		runs = "the DHCP server does not run with them either"
	}
	switch c.Status {
	case "done":
		return nil
	case "changed":
		return dhcp.ErrChanged
	case "differs":
		return fmt.Errorf("%w: what was written was overwritten at once, and was not loaded", dhcp.ErrChanged)
	case "unfit":
		return fmt.Errorf("%w: it says %q", ErrUnfit, c.Detail)
	case "dirty":
		return ErrUnapplied
	case "gone":
		return ErrNoSection
	case "rolled back":
		if !c.Runs {
			return fmt.Errorf("%w: the new settings stopped it, the old ones are back, and %s", ErrStopped, runs)
		}
		return fmt.Errorf("%w; %s", dhcp.ErrReload, runs)
	case "stopped":
		is := "the settings were not changed"
		if c.Saved {
			is = "the new settings are there"
		}
		return fmt.Errorf("%w: %s%s", ErrStopped, is, c.because())
	case "unsaved":
		return fmt.Errorf("%w: the settings were not saved%s", ErrProgram, c.because())
	case "unloaded":
		return fmt.Errorf("%w: the settings were saved and not loaded%s", ErrProgram, c.because())
	}
	return fmt.Errorf("%w: status %q%s", ErrProgram, c.Status, c.because())
}

func (c changed) because() string {
	if c.Detail == "" {
		return ""
	}
	return fmt.Sprintf(": PHP says %q", c.Detail)
}

// maxMessage is how long an entry of the firewall's configuration history may become.
const maxMessage = 400

// message is the entry in the firewall's configuration history: who, where, what.
func message(at port, from, to dhcp.Boot, undo bool) string {
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
			what = "as it was"
		}
	}
	if undo {
		what = "put back: " + what
	}
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, fmt.Sprintf("pxeagent: network boot on %s: %s", at.label(), what))
	return plain[:min(len(plain), maxMessage)]
}
