package dhcp

import (
	"context"
	"fmt"
)

// inSync proves settings that are as wanted already. Nothing is written. The server is told to load them only where its own offers, or
// the journal of a run that was killed, show that it may not have.
func (r *run) inSync(ctx context.Context) error {
	unfinished := r.journal.rec.Intent != nil
	if r.probe == nil && !unfinished {
		return fmt.Errorf("%w: %s; the settings are as wanted", ErrNotProven, notProbed)
	}
	if !unfinished {
		ok, err := r.loaded(ctx)
		if err != nil {
			return err
		}
		if ok {
			return r.foreign()
		}
	}
	if err := r.server.Apply(ctx, r.Plan); err != nil {
		r.step(StepReloaded, err, "the server was told to load its settings")
		return fmt.Errorf("loading the settings again: %w", err)
	}
	r.Reloaded = true
	r.step(StepReloaded, nil, "the server was told to load its settings")
	if unfinished {
		r.note(r.journal.rec.settle(r.Plan.Before))
	}
	if r.probe == nil {
		return fmt.Errorf("%w: %s; the settings are as wanted and were loaded again", ErrNotProven, notProbed)
	}
	seen, err := r.watch(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%w: probing: %w", ErrNotProven, err)
	case !seen.Agrees():
		return fmt.Errorf("%w: the settings are as wanted and were loaded again, this run wrote nothing, yet %s", ErrNotProven, joinFindings(seen.Wrong))
	}
	return r.foreign()
}

// loaded looks at the wire to see whether the settings are in force. An offer that is only missing is waited for once more
// before a server is disturbed: packets get lost.
func (r *run) loaded(ctx context.Context) (bool, error) {
	for range 2 {
		v, err := r.look(ctx)
		if err != nil {
			return false, fmt.Errorf("probing: %w", err)
		}
		if v.Agrees() {
			return true, nil
		}
		if v.Contradicts() {
			return false, nil
		}
	}
	return false, nil
}
