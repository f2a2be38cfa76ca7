package dhcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pxeagent/agent/firmware"
)

// putBack undoes what this run wrote. ^C does not stop it.
func (r *run) putBack(ctx context.Context, cause error, was record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revertWithin)
	defer cancel()
	if err := r.server.Revert(ctx, r.Plan); err != nil {
		r.step(StepReverted, err, "putting the old settings back failed")
		return &RevertFailedError{Err: err, Cause: cause, Server: r.Server, Journal: r.journal.path, Before: r.Plan.Before}
	}
	r.Wrote = false
	r.isBack(r.Plan.Before)
	r.note(was)
	if r.probe == nil {
		return &putBackError{cause: cause}
	}
	ctx, cancel = context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if _, err := r.asBefore(ctx, r.Plan.Before.Boot, &wire{r.clients(), r.Baseline}); err != nil {
		return &putBackError{cause, "; after that " + err.Error()}
	}
	return &putBackError{cause: cause}
}

// isBack notes that the settings are those of s again.
func (r *run) isBack(s State) {
	r.Reverted, r.Stopped = true, s.Stopped
	if s.Stopped {
		r.step(StepReverted, nil, "the old settings were put back, and the DHCP server was stopped, as it did not run before")
		return
	}
	r.step(StepReverted, nil, "the old settings were put back and loaded")
}

// asBefore looks at the wire until our server's answers are those of before, or those that boot asks for: the settings
// of before may not have been loaded when the wire was looked at, and boot may not hold all that they say. It looks
// until ctx ends.
func (r *run) asBefore(ctx context.Context, boot Boot, before *wire) (Verdict, error) {
	clients := ProbeClients(boot)
	if before != nil {
		clients = append(clients, before.Clients...)
	}
	slices.Sort(clients)
	clients = slices.Compact(clients)
	var v Verdict
	var last error
	for {
		offers, err := r.probe(ctx, clients, nil)
		switch {
		case err == nil:
			r.Offers, v = offers, Verify(boot, r.Plan, offers)
			if v.Agrees() || before != nil && r.same(*before, wire{clients, offers}) {
				r.tell(Step{Code: StepWireAfter, Text: "offers are as before", Offers: offers})
				return v, nil
			}
			last = errors.New("offers are not as before: " + joinFindings(v.Wrong))
		case ctx.Err() == nil || last == nil:
			last = fmt.Errorf("the network could not be probed: %w", err)
		}
		r.tell(Step{Code: StepWireAfter, Text: "probed the network", Error: last.Error(), Offers: offers})
		if !wait(ctx, pause) {
			return v, last
		}
	}
}

// same reports whether our server told the clients of before the same about network boot both times.
func (r *run) same(before, now wire) bool {
	type answer struct {
		client               firmware.Client
		next, name, where, o string
	}
	answers := func(w wire) map[answer]bool {
		all := map[answer]bool{}
		for _, o := range w.Offers {
			if r.Plan.Owns(o) && slices.Contains(before.Clients, o.Client) {
				name, where := o.BootFile()
				all[answer{o.Client, orUnset(o.NextServer), name, where, o.Option66}] = true
			}
		}
		return all
	}
	return maps.Equal(answers(before), answers(now))
}
