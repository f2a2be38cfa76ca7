package watch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/probe"
)

// Results of a probe: the values of a metric's label.
const (
	resultOK      = "ok"
	resultWrong   = "wrong"
	resultNoOffer = "no_offer"
	resultError   = "error"
)

// probeResult is what one probe found.
type probeResult struct {
	result  string
	foreign []string                          // what each foreign server says
	servers int                               // how many foreign servers there are
	ok      map[firmware.Client]bool          // by client asked for
	wrong   map[firmware.Client][]string      // by client asked for
	took    map[firmware.Client]time.Duration // by client that got an offer
	clients []firmware.Client
	offers  []firmware.Offer
}

// probe makes one probe. Its error is what is wrong.
func (n Network) probe(ctx context.Context, g *guard.Guard) (probeResult, error) {
	r := probeResult{
		result: resultOK, ok: map[firmware.Client]bool{}, wrong: map[firmware.Client][]string{},
		took: map[firmware.Client]time.Duration{}, clients: dhcp.ProbeClients(n.desired()),
	}
	if n.NoProbe {
		for _, c := range r.clients {
			r.offers = append(r.offers, firmware.Offer{Client: c, NextServer: n.Want.NextServer, File: n.Want.Expect(c)})
		}
		return r, nil
	}
	c := n.Probe
	c.Clients, c.Guard = check.Asking(r.clients), g
	report, err := probe.Run(ctx, c)
	if err != nil {
		r.result = resultError
		return r, err
	}
	r.offers = report.Offers
	if n.anybody() {
		return r.judged(report)
	}
	v := dhcp.Verify(n.Want, dhcp.Plan{Own: n.Own, Proxy: n.Proxy}, r.offers)
	r.asked(report)
	servers := map[netip.Addr]bool{}
	for _, f := range v.Foreign {
		servers[f.Server] = true
		r.foreign = append(r.foreign, f.Text)
	}
	r.servers = len(servers)
	var errs []error
	for _, f := range slices.Concat(v.Wrong, v.Foreign) {
		r.ok[f.Client] = false
		r.wrong[f.Client] = append(r.wrong[f.Client], f.Text)
		errs = append(errs, errors.New(f.Text))
	}
	switch {
	case len(report.Offers) == 0:
		r.result = resultNoOffer
	case !v.Agrees() || r.servers > 0:
		r.result = resultWrong
	}
	return r, errors.Join(errs...)
}

// asked takes over who was asked, and when the first offer came.
func (r *probeResult) asked(report probe.Report) {
	for _, a := range report.Asked {
		if !slices.Contains(r.clients, a.Client) {
			continue
		}
		r.ok[a.Client] = true
		if a.Took > 0 {
			r.took[a.Client] = time.Duration(a.Took)
		}
	}
}

// judged is the result where nothing is known of what the offers should say: that of a probe by hand. Clients that the
// DHCP server does not mean to boot are left out.
func (r probeResult) judged(report probe.Report) (probeResult, error) {
	findings := probe.Judge(dhcp.Boot{}, report)
	if len(report.Offers) > 0 {
		r.clients = firmware.Meant(report.Offers)
	}
	r.asked(report)
	var errs []error
	for _, f := range findings {
		if f.Level != probe.Wrong {
			continue
		}
		for _, c := range f.Clients {
			if !slices.Contains(r.clients, c) {
				continue
			}
			r.ok[c] = false
			r.wrong[c] = append(r.wrong[c], f.Text)
			errs = append(errs, fmt.Errorf("%s: %s", c, f.Text))
		}
	}
	switch {
	case len(report.Offers) == 0:
		r.result = resultNoOffer
	case len(errs) > 0:
		r.result = resultWrong
	}
	return r, errors.Join(errs...)
}
