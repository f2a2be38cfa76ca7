package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/firmware"
)

// Configure makes a DHCP server say Want, and proves it on the wire or puts back what was there.
type Configure struct {
	Server  Server
	Want    Boot
	Journal *Journal // may be nil with DryRun
	// Probe asks the wire. nil: this machine has no address in that network, and the result is not proven.
	Probe Probe
	// Begun is a look by Probe, at its full time, that was begun before the settings were read; nil: Run begins it.
	Begun *Look
	// Preflight checks that the next-server serves what want names, before machines are sent
	// there. Its error wraps ErrNotServing if it does not. nil: not checked.
	Preflight func(ctx context.Context, want Boot) error
	DryRun    bool          // only plan
	Within    time.Duration // how long the wire may take to agree; 0: 30 s
	Report    func(Step)    // hears of every step as it is done; nil: nobody does
}

// Run carries it out. Settings that are as wanted are not written and the server is not disturbed, unless
// its offers show that it has not loaded them.
//
// It reverts only what it wrote itself. It returns nil if offers are as desired, or for a dry run; the errors of
// this package otherwise; any other error means that nothing was changed.
func (c Configure) Run(ctx context.Context) (Result, error) {
	r := newRun(c.Server, c.Journal, c.Probe, c.Within, c.Report)
	r.want = c.Want
	defer r.drop()
	err := r.configure(ctx, c)
	return r.Result, err
}

func (r *run) configure(ctx context.Context, c Configure) error {
	if r.journal == nil && !c.DryRun {
		return errors.New("configuring without a journal")
	}
	// The wire as it is, beside reading the settings and asking next-server.
	if r.begun = c.Begun; r.begun == nil {
		r.begin(ctx, ProbeClients(r.want))
	}
	plan, err := r.server.Plan(ctx, r.want)
	if err != nil {
		return fmt.Errorf("reading the settings of %s: %w", r.server, err)
	}
	r.planned(plan)
	if q, refused := plan.Refused(); refused {
		return &RefusedError{q}
	}
	switch {
	case c.DryRun:
		// That the wire cannot be looked at is no fault of the plan.
		if _, err := r.baseline(ctx); err != nil {
			r.step(StepBaseline, err, "probed the network")
		}
		return r.reached()
	case plan.Empty():
		return r.inSync(ctx)
	}
	if c.Preflight != nil && r.want != (Boot{}) {
		if err := c.Preflight(ctx, r.want); err != nil {
			r.step(StepPreflight, err, "asked next-server %s for what machines will fetch", r.want.NextServer)
			return err
		}
		r.step(StepPreflight, nil, "next-server %s serves what machines will fetch", r.want.NextServer)
	}
	before, err := r.baseline(ctx)
	if err != nil {
		return fmt.Errorf("probing before the change: %w", err)
	}
	if err := r.reached(); err != nil {
		return err
	}
	return r.change(ctx, before)
}

// baseline looks at the wire as it is, and names the servers that will go on to say something else than is planned.
// nil: there is no way to look.
func (r *run) baseline(ctx context.Context) (*wire, error) {
	if r.probe == nil {
		return nil, nil
	}
	offers, err := r.ask(ctx)
	if err != nil {
		return nil, err
	}
	r.Baseline = offers
	others := otherServers(Verify(r.Plan.After.Boot, r.Plan, offers))
	r.Problems = append(r.Problems, others...)
	r.tell(Step{Code: StepBaseline, Text: "probed the network before any change", Offers: offers, Problems: others})
	return &wire{r.clients(), offers}, nil
}

// otherServers is one problem for each server that misleads machines, whatever our own is told.
func otherServers(v Verdict) []Problem {
	var list []Problem
	seen := map[netip.Addr]bool{}
	for _, f := range v.Foreign {
		if !seen[f.Server] {
			seen[f.Server] = true
			list = append(list, Problem{Code: "other-server", Text: f.Text})
		}
	}
	return list
}

func (r *run) planned(p Plan) {
	r.Plan = p
	r.InSync = p.Empty()
	r.Changes = append(r.Changes, Diff(p.Before.Boot, p.After.Boot)...)
	r.Problems = append(r.Problems, p.Problems...)
	text := "the settings differ from the desired ones"
	if r.InSync {
		text = "the settings are as wanted"
	}
	r.tell(Step{Code: StepPlan, Text: text, Changes: r.Changes, Problems: r.Problems})
}

// clients are those whose offers tell whether the plan is in force.
func (r *run) clients() []firmware.Client { return ProbeClients(r.Plan.After.Boot) }

// change journals, applies and proves a plan that is not empty.
func (r *run) change(ctx context.Context, before *wire) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A server that is being restarted is not one that did not run: that it was silent must have been heard.
	silent := before != nil && !slices.ContainsFunc(before.Offers, r.Plan.Owns)
	r.Plan.Before.Stopped = r.Plan.Before.Stopped && silent
	was := r.recorded(r.Plan.Before).settle(r.Plan.Before)
	was.Server = r.Server
	rec, changed := was.begin(r.Server, r.Plan.Before, r.Plan.After, before)
	if err := r.journal.write(rec); err != nil {
		return err
	}
	if changed {
		r.step(StepRebased, nil,
			"somebody changed the settings since pxeagent wrote them; from now on a revert goes to theirs")
	}
	r.step(StepJournal, nil, "the old settings are in %s", r.journal.path)

	if err := r.server.Apply(ctx, r.Plan); err != nil {
		return r.applyFailed(ctx, err, was)
	}
	r.Wrote = true
	r.step(StepApplied, nil, "the settings were written and loaded")
	keeper, ok := r.server.(Keeper)
	if !ok {
		r.note(rec.settle(r.Plan.After))
		return r.provenOrBack(ctx, was)
	}
	// What a Keeper wrote is not settled before it is told: of a run killed here it puts the old settings back.
	end := r.provenOrBack(ctx, was)
	if !r.Wrote || errors.Is(end, ErrRevertFailed) {
		return end
	}
	return r.keep(ctx, keeper, rec, end)
}

// recorded is the journal's record, by which now is known where a killed run left it.
func (r *run) recorded(now State) record {
	if p, ok := r.server.(Piecewise); ok {
		return r.journal.rec.cutShort(now, p)
	}
	return r.journal.rec
}

// provenOrBack ends a run that wrote. What it wrote stays where r.Wrote does.
func (r *run) provenOrBack(ctx context.Context, was record) error {
	r.enough = r.until()
	r.begin(ctx, r.clients())
	if err := r.readBack(ctx, was); err != nil {
		return err
	}
	if r.probe == nil {
		return fmt.Errorf("%w: %s; the settings were written and read back", ErrNotProven, notProbed)
	}
	seen, err := r.watch(ctx)
	return r.judge(ctx, seen, err, was)
}

// keep has the server keep what was written; end is how the run ends otherwise. ^C does not stop it.
func (r *run) keep(ctx context.Context, k Keeper, rec record, end error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	if err := k.Keep(ctx, r.Plan); err != nil {
		r.Wrote = false
		r.step(StepKept, err, "the server was not told to keep the settings")
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	r.step(StepKept, nil, "the server keeps the settings")
	r.note(rec.settle(r.Plan.After))
	return end
}

// applyFailed finds out what a failed Apply left, and puts back what it wrote.
func (r *run) applyFailed(ctx context.Context, cause error, was record) error {
	cause = fmt.Errorf("applying the settings: %w", cause)
	r.step(StepApplied, cause, "the settings were not applied")
	switch {
	case errors.Is(cause, ErrChanged):
		r.note(was)
		return cause
	case errors.Is(cause, ErrReload):
		r.Reverted = true
		r.note(was)
		return cause
	}
	if ctx.Err() != nil {
		// An interrupted request may still be carried out: what is read now proves nothing.
		return r.putBack(ctx, cause, was)
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	now, err := r.server.Plan(look, r.want)
	if err == nil && now.Before.Same(r.Plan.Before) {
		r.note(was)
		return cause
	}
	return r.putBack(ctx, cause, was)
}

// readBack reads the settings again: that a server says yes is no proof that it did.
func (r *run) readBack(ctx context.Context, was record) error {
	now, err := r.server.Plan(ctx, r.want)
	switch {
	case err != nil:
		// The wire will tell, and it is the better witness.
		r.step(StepReadBack, err, "the settings could not be read back")
		return nil
	case now.Before.Same(r.Plan.After):
		r.step(StepReadBack, nil, "the settings were read back as written")
		return nil
	case now.Before.Same(r.Plan.Before):
		r.Wrote = false
		r.note(was)
		err = errors.New("the server accepted the settings and did not keep them")
	default:
		r.Wrote = false
		err = fmt.Errorf("reading the settings back: %w", ErrChanged)
	}
	r.step(StepReadBack, err, "the settings are not what was written")
	return err
}
