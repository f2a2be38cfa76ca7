package dhcp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/firmware"
)

// look is one look at the wire.
func (r *run) look(ctx context.Context) (Verdict, error) {
	offers, err := r.ask(ctx)
	if err != nil {
		r.step(StepVerify, err, "the network could not be probed")
		return Verdict{}, err
	}
	v := Verify(r.Plan.After.Boot, r.Plan, offers)
	r.Offers, r.Verdict = offers, &v
	text := "offers are as desired"
	if !v.Agrees() {
		text = "offers differ from the desired ones"
	}
	r.tell(Step{Code: StepVerify, Text: text, Offers: offers, Verdict: &v})
	return v, nil
}

// watch looks at the wire until it agrees, r.within is over or ctx is. It returns the last verdict that it got, and an
// error if there is none or ctx was cancelled. A failover partner gets the same time to follow.
func (r *run) watch(ctx context.Context) (last Verdict, err error) {
	deadline := time.Now().Add(r.within)
	seen := false
	for {
		v, lookErr := r.look(ctx)
		switch {
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case lookErr != nil:
			err = lookErr
		default:
			last, seen = v, true
			if r.unheard(v) {
				return v, nil
			}
			if v.Agrees() && !slices.ContainsFunc(v.Foreign, isPeer) {
				return v, nil
			}
		}
		if !wait(ctx, min(pause, time.Until(deadline))) {
			break
		}
	}
	if ctx.Err() != nil {
		return last, context.Cause(ctx)
	}
	if seen {
		return last, nil
	}
	return last, err
}

// unheard reports whether the server made no offer before and makes none now, as the plan said: looking for longer
// would tell nothing.
func (r *run) unheard(v Verdict) bool {
	return r.Plan.Silence != "" && v.Own == 0 && !slices.ContainsFunc(r.Baseline, r.Plan.Owns)
}

func isPeer(f Finding) bool { return f.Code == FindingPeer }

// wait reports whether the time passed; not if it was none or ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// judge ends a run that wrote: kept, or put back.
func (r *run) judge(ctx context.Context, v Verdict, err error, was record) error {
	switch {
	case ctx.Err() != nil:
		return r.putBack(ctx, fmt.Errorf("interrupted before offers were as desired: %w", context.Cause(ctx)), was)
	case err != nil:
		return fmt.Errorf("%w: the settings were written and read back, probing failed: %w", ErrNotProven, err)
	case v.Agrees():
		return r.foreign()
	case v.Contradicts():
		return r.putBack(ctx, fmt.Errorf("after %v %s%s", r.within, joinFindings(v.Wrong), r.blame(v.Wrong)), was)
	}
	if lost := r.lost(v); len(lost) > 0 {
		return r.putBack(ctx, fmt.Errorf("after %v %s, and it did before the change", r.within, joinFindings(lost)), was)
	}
	return fmt.Errorf("%w: %s, and it did not before the change; likely cause: %s", ErrNotProven, joinFindings(v.Wrong),
		r.likelyCause(v))
}

// lost are the missing offers that were made before the change.
func (r *run) lost(v Verdict) []Finding {
	return slices.DeleteFunc(slices.Clone(v.Wrong), func(f Finding) bool {
		return !slices.ContainsFunc(r.Baseline, func(o firmware.Offer) bool {
			// When network boot was turned off, the finding is about the server and not about a client.
			return r.Plan.Owns(o) && (o.Client == f.Client || r.Plan.After.Boot == Boot{})
		})
	})
}

// foreign ends a run whose own server is right.
func (r *run) foreign() error {
	if len(r.Verdict.Foreign) == 0 {
		return nil
	}
	return fmt.Errorf("%w: our server's offers are right and were kept, yet %s", ErrForeign,
		joinFindings(r.Verdict.Foreign))
}

func (r *run) likelyCause(v Verdict) string {
	switch {
	case v.Own == 0 && r.Plan.Silence != "":
		return r.Plan.Silence
	case v.Own > 0:
		return "this server answers only some clients on this network"
	case v.Other > 0:
		var servers []string
		for _, o := range r.Offers {
			if s := addrText(o.Server); !slices.Contains(servers, s) {
				servers = append(servers, s)
			}
		}
		return "another DHCP server serves this network; only " + strings.Join(servers, ", ") + " answered"
	case r.Plan.Proxy:
		return "the proxyDHCP server is not running on this network, or a firewall drops ports 67, 68 and 4011"
	}
	return "the DHCP server does not run on this network, its pool is empty, or this machine is on another network " +
		"(VLAN, switch port)"
}
