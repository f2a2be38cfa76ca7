package dhcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pxeagent/agent/firmware"
)

// Revert puts a DHCP server's settings back to the last state that pxeagent did not write.
type Revert struct {
	Server  Server
	Journal *Journal
	// Probe is as in Configure.
	Probe               Probe
	DryRun              bool          // only say what would change
	DiscardLaterChanges bool          // go back even where somebody changed the settings after pxeagent
	Within              time.Duration // how long the wire may take to be as it was; 0: 30 s
	Report              func(Step)
}

// Run carries it out. It returns ErrNoJournal where pxeagent has written nothing, ErrChanged where somebody changed the
// settings after pxeagent, and ErrNotProven where the settings are back and the wire did not confirm it. A run that was
// killed is made good by the next one.
func (v Revert) Run(ctx context.Context) (Result, error) {
	r := newRun(v.Server, v.Journal, v.Probe, v.Within, v.Report)
	err := r.revert(ctx, v)
	return r.Result, err
}

func (r *run) revert(ctx context.Context, v Revert) error {
	first, ok := r.journal.First()
	if !ok {
		return fmt.Errorf("%w for %s", ErrNoJournal, r.Server)
	}
	// What is wanted plays no part here; turning off is what every backend can plan.
	found, err := r.server.Plan(ctx, Boot{})
	if err != nil {
		return fmt.Errorf("reading the settings of %s: %w", r.server, err)
	}
	now := found.Before
	r.Plan = Plan{Before: first, After: now, Own: found.Own, Peers: found.Peers, Proxy: found.Proxy}
	r.InSync = now.Same(first)
	r.Changes = append(r.Changes, Diff(now.Boot, first.Boot)...)
	if first.Stopped {
		r.Problems = append(r.Problems, Note("stops",
			"the DHCP server did not run before pxeagent's first change, and does not afterwards"))
	}
	r.tell(Step{Code: StepPlan, Text: "read the settings and the journal", Changes: r.Changes, Problems: r.Problems})

	was := r.recorded(now)
	if !was.knows(now) && !v.DiscardLaterChanges {
		return fmt.Errorf("reverting %s: %w", r.server, ErrChanged)
	}
	if v.DryRun {
		return nil
	}
	if err := r.journal.write(was.beginRevert(now)); err != nil {
		return err
	}
	if err := r.server.Revert(ctx, r.Plan); err != nil {
		err = fmt.Errorf("putting the old settings back: %w", err)
		r.step(StepReverted, err, "the old settings were not put back")
		if errors.Is(err, ErrChanged) || errors.Is(err, ErrReload) {
			r.note(was.settle(now))
		}
		return err
	}
	r.isBack(first)
	return r.reverted(ctx, first)
}

// reverted looks at the wire after a revert. Where that disagrees the journal is kept, so that the next revert loads
// the settings again.
func (r *run) reverted(ctx context.Context, first State) error {
	rec := r.journal.rec
	if r.probe == nil {
		r.note(rec.reverted())
		return fmt.Errorf("%w: %s; the old settings were put back and loaded", ErrNotProven, notProbed)
	}
	watch, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	if first.Stopped {
		return r.stopped(watch, first)
	}
	v, err := r.asBefore(watch, first.Boot, rec.Wire)
	r.Verdict = &v
	switch {
	case err == nil && (v.Agrees() || v.Own > 0):
		r.note(rec.reverted())
		return nil
	case err == nil:
		err = errors.New("no offer came before pxeagent's first change and none comes now")
	}
	r.note(rec.settle(first))
	return fmt.Errorf("%w: the old settings were put back and loaded, yet %w", ErrNotProven, err)
}

// stopped looks at the wire until the server that was stopped makes no offer.
func (r *run) stopped(ctx context.Context, first State) error {
	rec := r.journal.rec
	last := errors.New("it still makes offers")
	for {
		offers, err := r.probe(ctx, firmware.Clients(), nil)
		switch {
		case err == nil && !slices.ContainsFunc(offers, r.Plan.Owns):
			r.Offers = offers
			r.tell(Step{Code: StepWireAfter, Text: "the DHCP server makes no offer, as before", Offers: offers})
			r.note(rec.reverted())
			return nil
		case err != nil && ctx.Err() == nil:
			last = fmt.Errorf("the network could not be probed: %w", err)
		}
		r.tell(Step{Code: StepWireAfter, Text: "probed the network", Error: last.Error(), Offers: offers})
		if !wait(ctx, pause) {
			r.note(rec.settle(first))
			return fmt.Errorf("%w: the old settings were put back and the DHCP server was stopped, yet %w", ErrNotProven, last)
		}
	}
}
