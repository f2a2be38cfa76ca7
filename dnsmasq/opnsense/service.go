package opnsense

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"pxeagent/agent/dhcp/remote"
)

// What the firewall says of a DHCP server. "unknown" is another.
const (
	statusRunning  = "running"
	statusStopped  = "stopped"
	statusDisabled = "disabled"
)

// status is what the firewall says of a daemon.
func (h *session) status(ctx context.Context, d daemon) (string, error) {
	var a struct {
		Status string `json:"status"`
	}
	if err := h.get(ctx, d.Service+"status", &a); err != nil {
		return "", fmt.Errorf("asking for the status of %s: %w", d.Name, err)
	}
	return a.Status, nil
}

// act has the firewall do something with a daemon. Its answer tells nothing of how that ended.
func (h *session) act(ctx context.Context, d daemon, action string) error {
	a, err := h.do(ctx, http.MethodPost, d.Service+action, struct{}{})
	switch {
	case err != nil:
		return err
	case a.Status != http.StatusOK:
		return h.failure(d.Service+action, a)
	}
	return nil
}

// load restarts a daemon with what is saved, and waits until it runs. A restart is asked for once; a firewall that
// cannot be reached after that is asked for the status until h.limit is over.
func (h *session) load(ctx context.Context, d daemon) error {
	if err := h.act(ctx, d, d.Load); err != nil && (ctx.Err() != nil || !remote.IsOutage(err)) {
		return fmt.Errorf("restarting %s: %w", d.Name, err)
	}
	return h.runs(ctx, d)
}

// Looks at a status, h.pause apart.
const (
	runningLooks = 2 // in a row: one that ends at once may be seen while it starts
	stoppedLooks = 8 // in a row: a slow start looks like none
)

// runs waits until a daemon is seen running. ErrStopped: it does not run.
func (h *session) runs(ctx context.Context, d daemon) error {
	ctx, cancel := context.WithTimeout(ctx, h.limit)
	defer cancel()
	last, seen := "", 0
	var outage error
	for {
		now, err := h.status(ctx, d)
		if err != nil && !remote.IsOutage(err) {
			return err
		}
		outage = err
		if now != last {
			last, seen = now, 0
		}
		seen++
		switch {
		case err != nil:
		case now == statusRunning && seen >= runningLooks:
			return nil
		case now != statusRunning && seen >= stoppedLooks:
			return fmt.Errorf("%w: the status of %s is %s", ErrStopped, d.Name, h.quoted(now))
		}
		select {
		case <-time.After(h.pause):
		case <-ctx.Done():
			if outage != nil {
				return outage
			}
			return fmt.Errorf("%w: after %v the status of %s is %s", ErrStopped, h.limit, d.Name, h.quoted(last))
		}
	}
}

// stop ends a daemon that did not run before.
func (h *session) stop(ctx context.Context, d daemon) error {
	if err := h.act(ctx, d, "stop"); err != nil {
		return fmt.Errorf("stopping %s: %w", d.Name, err)
	}
	now, err := h.status(ctx, d)
	if err == nil && now == statusRunning {
		err = fmt.Errorf("%w: %s runs on after it was told to stop", ErrAPI, d.Name)
	}
	return err
}
