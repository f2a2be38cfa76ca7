package opnsense

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// dnsmasqWay is the firewall's Dnsmasq.
type dnsmasqWay struct {
	*session
	overview overview
	iface    Interface
	own      own
	seen     rows // by the last call of state
}

func (h *session) dnsmasq(o overview, i Interface) *dnsmasqWay {
	return &dnsmasqWay{session: h, overview: o, iface: i, own: own{i.Name}}
}

func (*dnsmasqWay) daemon() daemon {
	return daemon{Name: "Dnsmasq", Service: "/api/dnsmasq/service/", Load: "restart"}
}

func (w *dnsmasqWay) state(ctx context.Context) (dhcp.State, error) {
	r, err := w.rows(ctx, w.overview)
	if err != nil {
		return dhcp.State{}, err
	}
	w.seen = r
	s, _, err := w.own.state(r.of(w.own))
	return s, err
}

func (w *dnsmasqWay) between(now, from, to dhcp.State) bool { return w.own.between(now, from, to) }

func (w *dnsmasqWay) plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	r, err := w.rows(ctx, w.overview)
	if err != nil {
		return dhcp.Plan{}, err
	}
	before, edited, err := w.own.state(r.of(w.own))
	if err != nil {
		return dhcp.Plan{}, err
	}
	p := dhcp.Plan{Before: before, Own: w.addresses()}
	if edited != "" {
		p.Problems = append(p.Problems, dhcp.Note("edited", "pxeagent's entries have %s; they will be overwritten", edited))
	}
	if want == (dhcp.Boot{}) {
		p.Problems = append(p.Problems, w.inUse(r, nil)...)
		return p, nil
	}
	if bad := dnsmasq.CheckBoot(want, dnsmasq.ModeServer, w.iface.Addresses...); len(bad) > 0 {
		p.After, p.Problems = before, append(p.Problems, bad...)
		return p, nil
	}
	p.After.Boot = want
	if p.After.Raw, err = w.own.encode(w.own.entries(want)); err != nil {
		return dhcp.Plan{}, err
	}
	hosts, err := search[host](ctx, w.session, "/api/dnsmasq/settings/searchHost")
	if err != nil && !errors.Is(err, ErrNoAPI) {
		return dhcp.Plan{}, err
	}
	list, silence := w.judge(r, hosts, want)
	p.Problems, p.Silence = append(p.Problems, list...), silence
	if port := w.overview.dnsmasq.Port; port != "0" && !p.Empty() {
		p.Problems = append(p.Problems, dhcp.Note("restarts-dns",
			"Dnsmasq restarts: DNS on its port is away for about a second, for everyone who uses it"))
	}
	return p, nil
}

// addresses are those by which the firewall names itself on the interface: its own there, or the one at which it is
// reached where that is in one of the interface's networks. None: they are not known.
func (w *dnsmasqWay) addresses() []netip.Addr {
	var own []netip.Addr
	for _, p := range w.iface.Addresses {
		own = append(own, p.Addr())
	}
	if len(own) > 0 {
		return own
	}
	at, err := netip.ParseAddr(w.cfg.URL.Hostname())
	if err == nil && slices.ContainsFunc(w.iface.Networks, func(p netip.Prefix) bool { return p.Contains(at) }) {
		own = append(own, at)
	}
	return own
}
