package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/probe"
	"pxeagent/agent/web"
)

// Watch is a network whose DHCP server is asked from time to time whether it still sends machines here, and whose road is
// then walked as machines would.
type Watch struct {
	Interface string       // the network's name at the DHCP server: the metrics' label
	Own       []netip.Addr // the DHCP server's own addresses; none: every offer is taken for its own
	Proxy     bool         // another server leases addresses there
	Probe     probe.Config // how to ask
	// Blind: this machine cannot ask there. Machines are taken to be told Want, and what comes after is walked.
	Blind    bool
	Want     dhcp.Boot     // what should be offered
	Every    time.Duration // from one check to the next, at least a second; 0: only when somebody wants one
	TFTPPort uint16        // where machines ask by TFTP; 0: 69, the only one that firmware knows

	of int // how many networks share the page
}

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
	foreign []string                      // what each foreign server says
	servers int                           // how many foreign servers there are
	ok      map[dhcp.Client]bool          // by client asked for
	wrong   map[dhcp.Client][]string      // by client asked for
	took    map[dhcp.Client]time.Duration // by client that got an offer
	clients []dhcp.Client
	offers  []dhcp.Offer
}

// walkLimit is how long a whole road may take: one that answers takes a second, and one where nothing does is known by then.
const walkLimit = time.Minute

// watch checks at once, then at every interval and whenever somebody wants it, until ctx ends. It never fails: a network
// that cannot be checked is a finding too.
func (w Watch) watch(ctx context.Context, m *metrics, page *pageState, number int, log *slog.Logger) error {
	var due <-chan time.Time
	if w.Every > 0 {
		tick := time.NewTicker(max(w.Every, time.Second))
		defer tick.Stop()
		due = tick.C
	}
	last := ""
	for first := true; ; first = false {
		if w.Every > 0 || !first {
			last = w.check(ctx, m, page, number, log, last)
		}
		select {
		case <-due:
		case <-page.wanted(number):
		case <-ctx.Done():
			return nil
		}
	}
}

// check probes and walks, and tells metrics, page and log. last is the result of the check before, and returned is that of this one.
func (w Watch) check(ctx context.Context, m *metrics, page *pageState, number int, log *slog.Logger, last string) string {
	start := time.Now()
	page.begin(number)
	r, err := w.once(ctx)
	if ctx.Err() != nil {
		return last
	}
	if !w.Blind {
		m.probe(w.Interface, r, time.Now())
		if r.result != last {
			log.LogAttrs(ctx, level(r.result), "DHCP probe", slog.String("iface", w.Interface), slog.String("result", r.result), slog.Any("err", err))
		}
	}
	n := w.network(r, err)
	if err == nil || r.result != resultError {
		n.Clients = w.walk(ctx, r)
		if ctx.Err() != nil {
			return last
		}
		m.road(w.Interface, n.Clients)
	} else {
		m.noRoad(w.Interface)
	}
	n.Result = sum(n)
	n.Checked, n.Took = time.Now(), time.Since(start).Seconds()
	page.end(number, n, log)
	return r.result
}

// walk goes the road of each client.
func (w Watch) walk(ctx context.Context, r probeResult) []web.Client {
	ctx, cancel := context.WithTimeout(ctx, walkLimit)
	defer cancel()
	hops := check.Walk(ctx, check.Config{TFTPPort: w.TFTPPort}, r.clients, r.offers)
	return roads(w, r, hops)
}

func level(result string) slog.Level {
	if result == resultOK {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// once makes one probe. Its error is what is wrong.
func (w Watch) once(ctx context.Context) (probeResult, error) {
	r := probeResult{
		result: resultOK, ok: map[dhcp.Client]bool{}, wrong: map[dhcp.Client][]string{}, took: map[dhcp.Client]time.Duration{},
		clients: dhcp.ProbeClients(w.Want),
	}
	if w.Blind {
		for _, c := range r.clients {
			r.offers = append(r.offers, dhcp.Offer{Client: c, NextServer: w.Want.NextServer, File: w.Want.Expect(c)})
		}
		return r, nil
	}
	c := w.Probe
	c.Clients = r.clients
	report, err := probe.Run(ctx, c)
	if err != nil {
		r.result = resultError
		return r, err
	}
	r.offers = report.Plain()
	v := dhcp.Verify(w.Want, dhcp.Plan{Own: w.Own, Proxy: w.Proxy}, r.offers)
	for _, a := range report.Asked {
		r.ok[a.Client] = true
		if a.Took > 0 {
			r.took[a.Client] = time.Duration(a.Took)
		}
	}
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
