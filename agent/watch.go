package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/probe"
)

// Watch is a network whose DHCP server is asked from time to time whether it still sends machines here.
type Watch struct {
	Interface string        // the network's name at the DHCP server: the metrics' label
	Own       []netip.Addr  // the DHCP server's own addresses; none: every offer is taken for its own
	Proxy     bool          // another server leases addresses there
	Probe     probe.Config  // how to ask
	Want      dhcp.Boot     // what should be offered
	Every     time.Duration // from one probe to the next; at least a second
}

// Results of a probe: the values of a metric's label.
const (
	resultOK      = "ok"
	resultWrong   = "wrong"
	resultNoOffer = "no_offer"
	resultError   = "error"
)

// probeResult is what one probe found, as the metrics need it.
type probeResult struct {
	result  string
	foreign int
	ok      map[dhcp.Client]bool          // by client asked for
	took    map[dhcp.Client]time.Duration // by client that got an offer
}

// watch probes at once and then at every interval until ctx ends. It never fails: a network that cannot be probed is a
// finding too.
func (w Watch) watch(ctx context.Context, m *metrics, log *slog.Logger) error {
	tick := time.NewTicker(max(w.Every, time.Second))
	defer tick.Stop()
	last := ""
	for {
		r, err := w.once(ctx, log, last)
		if ctx.Err() != nil {
			return nil
		}
		m.probe(w.Interface, r, time.Now())
		if r.result != last {
			log.LogAttrs(ctx, level(r.result), "DHCP probe", slog.String("iface", w.Interface), slog.String("result", r.result), slog.Any("err", err))
		}
		last = r.result
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func level(result string) slog.Level {
	if result == resultOK {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// once makes one probe. What is wrong is logged when it is new.
func (w Watch) once(ctx context.Context, log *slog.Logger, last string) (probeResult, error) {
	c := w.Probe
	c.Clients = dhcp.ProbeClients(w.Want)
	report, err := probe.Run(ctx, c)
	if err != nil {
		return probeResult{result: resultError}, err
	}
	v := dhcp.Verify(w.Want, dhcp.Plan{Own: w.Own, Proxy: w.Proxy}, report.Plain())
	r := probeResult{result: resultOK, ok: map[dhcp.Client]bool{}, took: map[dhcp.Client]time.Duration{}}
	for _, a := range report.Asked {
		r.ok[a.Client] = true
		if a.Took > 0 {
			r.took[a.Client] = time.Duration(a.Took)
		}
	}
	for _, f := range v.Wrong {
		r.ok[f.Client] = false
	}
	servers := map[netip.Addr]bool{}
	for _, f := range v.Foreign {
		servers[f.Server] = true
		r.ok[f.Client] = false
	}
	r.foreign = len(servers)
	switch {
	case len(report.Offers) == 0:
		r.result = resultNoOffer
	case !v.Agrees() || r.foreign > 0:
		r.result = resultWrong
	}
	if r.result == last || r.result == resultOK {
		return r, nil
	}
	var errs []error
	for _, f := range append(v.Wrong, v.Foreign...) {
		errs = append(errs, errors.New(f.Text))
	}
	return r, errors.Join(errs...)
}
