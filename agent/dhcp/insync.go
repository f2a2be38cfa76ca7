package dhcp

import (
	"context"
	"fmt"
)

// inSync proves settings that are as wanted already. Nothing is written. The server is told to load them only where its
// own offers, or the journal of a run that was killed, show that it has not: a server that cannot be heard from here is
// not disturbed by every run.
func (r *run) inSync(ctx context.Context) error {
	unfinished := r.journal.rec.Intent != nil
	if !unfinished {
		if r.probe == nil {
			return fmt.Errorf("%w: %s; the settings are as wanted", ErrNotProven, notProbed)
		}
		switch v, err := r.heard(ctx); {
		case err != nil:
			return err
		case v.Agrees():
			return r.foreign()
		case !v.Contradicts():
			return fmt.Errorf("%w: the settings are as wanted, yet %s; likely cause: %s", ErrNotProven, joinFindings(v.Wrong),
				r.likelyCause(v))
		}
	}
	r.drop()
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
	v, err := r.watch(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%w: probing: %w", ErrNotProven, err)
	case !v.Agrees():
		return fmt.Errorf("%w: the settings are as wanted and were loaded again, this run wrote nothing, yet %s",
			ErrNotProven, joinFindings(v.Wrong))
	}
	return r.foreign()
}

// heard looks at the wire, and once more where an offer is only missing: packets get lost.
func (r *run) heard(ctx context.Context) (v Verdict, err error) {
	for range 2 {
		if v, err = r.look(ctx); err != nil {
			return v, fmt.Errorf("probing: %w", err)
		}
		if v.Agrees() || v.Contradicts() {
			break
		}
	}
	return v, nil
}
