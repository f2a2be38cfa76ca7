package pfsense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// A firewall's PHP or web server may be gone for some seconds while a change is made. What became of the change is
// found out by reading the settings until they can be read, for at most outageWithin.
const (
	outageWithin = 30 * time.Second
	outagePause  = 500 * time.Millisecond
)

// clock is the time of day, and a sleep that ends early with ctx. Tests replace it.
type clock struct {
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration)
}

func realClock() clock {
	return clock{now: time.Now, sleep: func(ctx context.Context, d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}}
}

// outlast does step until it ends otherwise than by an outage, or outageWithin is over: then its last error is
// returned.
func (s *Server) outlast(ctx context.Context, step func() error) error {
	end := s.clock.now().Add(outageWithin)
	for {
		err := step()
		if err == nil || !remote.IsOutage(err) || ctx.Err() != nil {
			return err
		}
		if !s.clock.now().Before(end) {
			return fmt.Errorf("for %v: %w", outageWithin, err)
		}
		s.clock.sleep(ctx, outagePause)
	}
}

// unanswered finds out what became of a write from before to after whose answer did not come, because of cause. If the
// settings are the new ones they are loaded, as the program may have ended before it did that.
func (s *Server) unanswered(ctx context.Context, before, after settings, message string, cause error) error {
	last := s.revision
	err := s.outlast(ctx, func() error {
		f, at, err := s.readInterface(ctx)
		if err != nil {
			return err
		}
		switch now := f.settings(at); {
		case now == after:
			return s.load(ctx, at, after)
		case now != before:
			return dhcp.ErrChanged
		case f.Revision != last && strings.HasSuffix(f.Revision.Text, message+putBackNote):
			return fmt.Errorf("%w; its answer did not come: %w", dhcp.ErrReload, cause)
		}
		return errUnchanged
	})
	switch {
	case errors.Is(err, errUnchanged):
		return fmt.Errorf("%w; the settings were not changed", cause)
	case err != nil && !errors.Is(err, cause) && remote.IsOutage(err):
		return fmt.Errorf("%w; what became of the change could not be read: %w", cause, err)
	}
	return err
}

// errUnchanged: the settings are those from before.
var errUnchanged = errors.New("the settings were not changed")

// putBackNote ends the history entry of a writing program that restored the old settings.
const putBackNote = "; put back, the DHCP server did not start"

// load has the DHCP server load settings that are in place.
func (s *Server) load(ctx context.Context, at iface, now settings) error {
	return s.runWrite(ctx, change{Op: "write", ID: at.ID, Before: now.keys, After: now.keys, Wait: s.wait.Seconds()})
}

// runWrite runs the writing program.
func (s *Server) runWrite(ctx context.Context, c change) error {
	p, err := newProgram("write", c)
	if err != nil {
		return err
	}
	raw, err := s.transport.run(ctx, p)
	if err != nil {
		return err
	}
	var done changed
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("%w: parsing its result: %w", ErrProgram, err)
	}
	return done.err()
}
