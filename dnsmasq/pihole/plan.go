package pihole

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// Plan reads Pi-hole's settings. Its problems have the codes of dnsmasq.Server.Plan, and these: read-only and
// environment refuse; restarts-dns and applies-others are only shown. Errors wrap those of this package or of package
// remote.
func (s *Server) Plan(ctx context.Context, want dhcp.Boot) (p dhcp.Plan, err error) {
	err = s.with(ctx, func(h *session) error {
		p, err = h.plan(ctx, want)
		return err
	})
	return p, err
}

func (h *session) plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	all, err := h.settings(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	device, others, err := h.device(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	lines := all.Misc.Lines.Value
	before, edited, err := h.state(lines)
	if err != nil {
		return dhcp.Plan{}, err
	}
	p := dhcp.Plan{Before: before, Proxy: h.cfg.Mode == dnsmasq.ModeProxy}
	var nets []netip.Addr
	for _, a := range device.Addresses {
		p.Own = append(p.Own, a.Addr())
		nets = append(nets, a.Masked().Addr())
	}
	if edited != "" {
		p.Problems = append(p.Problems, dhcp.Note("edited", "the block of pxeagent has %s; it will be overwritten", edited))
	}
	if want != (dhcp.Boot{}) {
		if bad := dnsmasq.CheckBoot(want, h.cfg.Mode, device.Addresses...); len(bad) > 0 {
			p.After, p.Problems = before, append(p.Problems, bad...)
			return p, nil
		}
		p.After.Boot = want
		if p.After.Raw, err = encode(h.lines(want, h.cfg.Mode, compact(nets))); err != nil {
			return dhcp.Plan{}, err
		}
		site := h.elsewhere(all, device, others)
		list, silence := site.Problems(want)
		p.Problems, p.Silence = append(p.Problems, list...), silence
	}
	p.Problems = append(p.Problems, all.problems(p.Empty())...)
	return p, nil
}

func compact(nets []netip.Addr) []netip.Addr {
	slices.SortFunc(nets, netip.Addr.Compare)
	return slices.Compact(nets)
}

// problems are of Pi-hole itself. empty: there is nothing to write.
func (a settings) problems(empty bool) []dhcp.Problem {
	var list []dhcp.Problem
	if a.Misc.EtcDir.Value {
		list = append(list, dhcp.Note("unread", "not read: /etc/dnsmasq.d on Pi-hole's machine (misc.etc_dnsmasq_d is "+
			"true); conflicts there are not detected"))
	}
	if empty {
		return list
	}
	switch {
	case a.Misc.ReadOnly.Value:
		list = append(list, dhcp.Refusal("read-only",
			"Pi-hole's configuration is read-only: set misc.readOnly to false in /etc/pihole/pihole.toml"))
	case a.Misc.Lines.Environment:
		list = append(list, dhcp.Refusal("environment", "misc.dnsmasq_lines is set by the environment variable "+
			"FTLCONF_misc_dnsmasq_lines of Pi-hole's container, and cannot be changed otherwise: remove it there"))
	}
	return append(list,
		dhcp.Note("restarts-dns", "Pi-hole restarts as a whole: DNS and DHCP are away for some seconds, for everyone"),
		dhcp.Note("applies-others",
			"what somebody saved without a restart is loaded as well: Pi-hole does not tell whether there is any"))
}

// elsewhere is what Pi-hole gives to its Dnsmasq, as far as it has to do with DHCP, in the order in which it writes it.
func (h *session) elsewhere(a settings, device Interface, others []string) dnsmasq.Elsewhere {
	e := dnsmasq.Elsewhere{
		Tag: device.Name, Others: others, Addresses: device.Addresses, Mode: h.cfg.Mode, ModeKey: "dhcp.pihole.mode",
		ProbeMAC: h.cfg.ProbeMAC,
	}
	add := func(where, format string, args ...any) {
		e.Lines = append(e.Lines, dnsmasq.Line{Text: fmt.Sprintf(format, args...), Where: where})
	}
	if l := a.DNS.Listening.Value; (l == "SINGLE" || l == "BIND") && a.DNS.Interface.Value != "" {
		add("dns.interface", "interface=%s", a.DNS.Interface.Value)
	}
	if a.DHCP.Active.Value {
		ends := a.DHCP.Start.Value + "," + a.DHCP.End.Value
		if a.DHCP.Netmask.Value != "" && a.DHCP.Netmask.Value != "0.0.0.0" {
			ends += "," + a.DHCP.Netmask.Value
		}
		add("dhcp.start", "dhcp-range=%s", ends)
		if a.DHCP.IgnoreUnknown.Value {
			add("dhcp.ignoreUnknownClients", "dhcp-ignore=tag:!known")
		}
		for _, host := range a.DHCP.Hosts.Value {
			add("dhcp.hosts", "dhcp-host=%s", host)
		}
	}
	own := h.find(a.Misc.Lines.Value)
	for i, l := range a.Misc.Lines.Value {
		if i == own.from {
			e.Before = len(e.Lines)
		}
		if i < own.from || i >= own.to {
			add(fmt.Sprintf("misc.dnsmasq_lines, line %d", i+1), "%s", strings.ReplaceAll(l, "\n", " "))
		}
	}
	if own.from >= len(a.Misc.Lines.Value) {
		e.Before = len(e.Lines)
	}
	return e
}
