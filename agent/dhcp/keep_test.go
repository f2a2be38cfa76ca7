package dhcp_test

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// keeper is a scene whose server undoes a change unless it is told to keep it.
type keeper struct {
	*scene
	err  error
	kept []dhcp.Plan
}

func (k *keeper) Keep(ctx context.Context, p dhcp.Plan) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.kept = append(k.kept, p)
	return k.err
}

// A server that undoes what it is not told to keep is told whenever a run ends with its settings in place.
func TestKeep(t *testing.T) {
	foreign := joined(func(o *firmware.Offer) { o.File = "other.0" })
	for _, c := range []struct {
		name    string
		scene   func(*keeper)
		end     error
		kept    int
		settled bool // the journal knows how it ended
	}{
		{name: "proven", kept: 1, settled: true},
		{name: "not proven", scene: func(k *keeper) { k.wire = silence() }, end: dhcp.ErrNotProven, kept: 1, settled: true},
		{name: "not probed", scene: func(k *keeper) { k.conf.Probe = nil }, end: dhcp.ErrNotProven, kept: 1, settled: true},
		{name: "another server misleads", scene: func(k *keeper) { k.wire = foreign }, end: dhcp.ErrForeign, kept: 1,
			settled: true},
		{name: "put back", scene: func(k *keeper) { k.flaw["never loads"] = true }, end: dhcp.ErrReverted, settled: true},
		{name: "putting back fails", scene: func(k *keeper) {
			k.flaw["never loads"] = true
			k.revert = func() error { return syscall.EROFS }
		}, end: dhcp.ErrRevertFailed},
		{name: "keeping fails", scene: func(k *keeper) { k.err = syscall.ECONNREFUSED }, end: dhcp.ErrNotKept, kept: 1},
		{name: "in sync", scene: func(k *keeper) {
			if _, err := k.run(); err != nil {
				k.t.Fatal(err)
			}
			k.kept = nil
		}, settled: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &keeper{scene: newScene(t)}
				k.conf.Server = k
				if c.scene != nil {
					c.scene(k)
				}
				r, err := k.run()
				if !errors.Is(err, c.end) || c.end == nil && err != nil {
					t.Errorf("%v, want %v", err, c.end)
				}
				if len(k.kept) != c.kept || c.kept > 0 && !k.kept[0].After.Same(r.Plan.After) {
					t.Errorf("kept %+v", k.kept)
				}
				if kept := slices.Contains(k.steps, dhcp.StepKept); kept != (c.kept > 0) {
					t.Errorf("steps %q", k.steps)
				}
				if wrote := c.kept > 0 && k.err == nil; r.Wrote != wrote && !errors.Is(err, dhcp.ErrRevertFailed) {
					t.Errorf("%+v", r)
				}
				// What is not settled is loaded again by the next run, which finds out.
				k.conf.Probe, k.wire, k.revert = k.probe, nil, nil
				delete(k.flaw, "never loads")
				k.err, k.conf.DryRun = nil, false
				if r, err := k.run(); err != nil || r.Reloaded == c.settled && r.InSync {
					t.Errorf("the next run: %v, %+v, settled %v", err, r, c.settled)
				}
			})
		})
	}
}
