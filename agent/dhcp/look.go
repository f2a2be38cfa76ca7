package dhcp

import (
	"context"
	"net/netip"
	"slices"

	"pxeagent/agent/firmware"
)

// Probe asks the network as these clients and returns every offer that came in its full time. Where enough is not nil
// the probe may end sooner: as soon as that says so of the offers so far.
type Probe func(ctx context.Context, clients []firmware.Client, enough Enough) ([]firmware.Offer, error)

// Enough reports whether nothing more needs to be waited for after these offers.
type Enough func([]firmware.Offer) bool

// Look is one look at the network that goes on beside other work.
type Look struct {
	clients []firmware.Client
	cancel  context.CancelFunc
	done    chan struct{}
	offers  []firmware.Offer
	err     error
}

// Begin begins a look, for which End must be called.
func (p Probe) Begin(ctx context.Context, clients []firmware.Client, enough Enough) *Look {
	ctx, cancel := context.WithCancel(ctx)
	l := &Look{clients: clients, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.offers, l.err = p(ctx, clients, enough)
	}()
	return l
}

// End ends the look, if it has not ended, and waits for that. It may be called again, and for nil.
func (l *Look) End() {
	if l != nil {
		l.cancel()
		<-l.done
	}
}

// take waits for the offers to clients. ok is false, and nothing is waited for, where the look does not ask as each of
// them.
func (l *Look) take(clients []firmware.Client) (offers []firmware.Offer, err error, ok bool) {
	for _, c := range clients {
		if !slices.Contains(l.clients, c) {
			return nil, nil, false
		}
	}
	<-l.done
	offers = slices.DeleteFunc(slices.Clone(l.offers), func(o firmware.Offer) bool {
		return !slices.Contains(clients, o.Client)
	})
	return offers, l.err, true
}

// begin begins the look that ask takes next.
func (r *run) begin(ctx context.Context, clients []firmware.Client) {
	if r.probe != nil {
		r.begun = r.probe.Begin(ctx, clients, r.enough)
	}
}

// drop ends a look that nobody is going to take.
func (r *run) drop() {
	r.begun.End()
	r.begun = nil
}

// ask looks at the wire. A look that was begun is taken, once.
func (r *run) ask(ctx context.Context) ([]firmware.Offer, error) {
	defer r.drop()
	if r.begun != nil {
		if offers, err, ok := r.begun.take(r.clients()); ok {
			return offers, err
		}
		r.drop()
	}
	return r.probe(ctx, r.clients(), r.enough)
}

// until is what ends a look after a change: each client has its answer from our server, and it is the desired one. That
// holds only where a full look before the change heard no other server, as one that is slow would not be heard. nil:
// every look takes its full time.
func (r *run) until() Enough {
	if r.Plan.Proxy || len(r.Plan.Peers) > 0 {
		return nil
	}
	var server netip.Addr
	for _, o := range r.Baseline {
		if !r.Plan.Owns(o) || server.IsValid() && o.Server != server {
			return nil
		}
		server = o.Server
	}
	return func(offers []firmware.Offer) bool {
		for _, c := range r.clients() {
			if !slices.ContainsFunc(offers, func(o firmware.Offer) bool { return o.Client == c && r.Plan.Owns(o) }) {
				return false
			}
		}
		v := Verify(r.Plan.After.Boot, r.Plan, offers)
		return v.Agrees() && len(v.Foreign) == 0
	}
}
