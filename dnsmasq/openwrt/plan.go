package openwrt

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// Plan reads the router's settings. Its problems have the codes of dnsmasq.Server.Plan, and these: no-dhcp, dhcp-off,
// odhcpd and no-dnsmasq refuse; restarts-dns and comments-lost are only shown. Errors wrap those of this package or of
// package remote.
func (s *Server) Plan(ctx context.Context, want dhcp.Boot) (p dhcp.Plan, err error) {
	err = s.with(ctx, func(h *session) error {
		p, err = h.plan(ctx, want)
		return err
	})
	return p, err
}

func (h *session) plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	network, others, err := h.network(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	all, err := h.sections(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	before, edited, err := h.state(all)
	if err != nil {
		return dhcp.Plan{}, err
	}
	p := dhcp.Plan{Before: before}
	for _, a := range network.Addresses {
		p.Own = append(p.Own, a.Addr())
	}
	if edited != "" {
		p.Problems = append(p.Problems, dhcp.Note("edited",
			"pxeagent's sections of /etc/config/dhcp have %s; they will be overwritten", edited))
	}
	if want == (dhcp.Boot{}) {
		p.Problems = append(p.Problems, notes(p)...)
		return p, nil
	}
	if bad := dnsmasq.CheckBoot(want, dnsmasq.ModeServer, network.Addresses...); len(bad) > 0 {
		p.After, p.Problems = before, append(p.Problems, bad...)
		return p, nil
	}
	p.After.Boot = want
	if p.After.Raw, err = encode(h.own(want)); err != nil {
		return dhcp.Plan{}, err
	}
	list, err := h.served(ctx, all)
	if err != nil {
		return dhcp.Plan{}, err
	}
	p.Problems = append(p.Problems, list...)
	if len(list) == 0 {
		list, p.Silence = h.elsewhere(all, network, others, p.Empty()).Problems(want)
		p.Problems = append(p.Problems, list...)
	}
	p.Problems = append(p.Problems, notes(p)...)
	return p, nil
}

// notes are what a change does besides.
func notes(p dhcp.Plan) []dhcp.Problem {
	if p.Empty() {
		return nil
	}
	return []dhcp.Problem{
		dhcp.Note("restarts-dns", "Dnsmasq restarts: DNS is away for about a second, for everyone"),
		dhcp.Note("comments-lost",
			"comments that somebody wrote into /etc/config/dhcp are lost, as with any change by LuCI; a revert does not bring "+
				"them back"),
	}
}

// served refuses where the router's Dnsmasq does not lease addresses on the network.
func (h *session) served(ctx context.Context, all []section) ([]dhcp.Problem, error) {
	var pool *section
	for _, s := range all {
		switch {
		case s.Type == "odhcpd" && s.text("maindhcp") == "1":
			return []dhcp.Problem{dhcp.Refusal("odhcpd",
				"odhcpd is the router's DHCP server (maindhcp is 1 in its section), and has no boot options: set it to 0, and "+
					"install dnsmasq")}, nil
		case s.Type == "dhcp" && s.text("interface") == h.cfg.Interface:
			pool = &s
		}
	}
	switch {
	case pool == nil:
		return []dhcp.Problem{dhcp.Refusal("no-dhcp", "/etc/config/dhcp has no section dhcp for network %s",
			h.cfg.Interface)}, nil
	case pool.text("ignore") == "1":
		return []dhcp.Problem{dhcp.Refusal("dhcp-off", "DHCP is off on network %s: ignore is 1 in section %s",
			h.cfg.Interface, pool.Name)}, nil
	case pool.text("dhcpv4") == "disabled":
		return []dhcp.Problem{dhcp.Refusal("dhcp-off", "DHCP is off on network %s: dhcpv4 is disabled in section %s",
			h.cfg.Interface, pool.Name)}, nil
	}
	daemons, err := h.daemons(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(daemons) == 0:
		return []dhcp.Problem{dhcp.Refusal("no-dnsmasq", "the router runs no dnsmasq: install and start it")}, nil
	case pool.text("dhcpv4") == "" && h.offByDefault(ctx):
		return []dhcp.Problem{dhcp.Refusal("dhcp-off",
			"DHCP is off on network %s: dhcpv4 is not set in section %s, and after 24.10 that means disabled",
			h.cfg.Interface, pool.Name)}, nil
	}
	return nil, nil
}

// offByDefault reports whether this version takes a missing dhcpv4 for disabled. One that does not tell is taken for an
// older one: if it is off, no offer is made, and that is seen.
func (h *session) offByDefault(ctx context.Context) bool {
	var a struct {
		Release struct {
			Version string `json:"version"`
		} `json:"release"`
	}
	if status, err := h.call(ctx, "system", "board", nil, &a); err != nil || status != statusOK {
		return false
	}
	major, _, _ := strings.Cut(a.Release.Version, ".")
	n, err := strconv.Atoi(major)
	return a.Release.Version == "SNAPSHOT" || err == nil && n > 24
}

// elsewhere is what the router's script makes of the sections, as far as it has to do with network boot: first the
// section of dnsmasq, then boots, tags, matches, ranges. Ours count as the last boots where they are written again.
func (h *session) elsewhere(all []section, n Network, others []string, empty bool) dnsmasq.Elsewhere {
	e := dnsmasq.Elsewhere{Tag: n.Device, Others: others, Addresses: n.Addresses, ProbeMAC: h.cfg.ProbeMAC}
	add := func(s section, text string) {
		e.Lines = append(e.Lines, dnsmasq.Line{Text: oneLine(text), Where: "/etc/config/dhcp, " + s.Type + " " + s.Name})
	}
	last := -1 // index of our last boot
	for _, s := range all {
		if empty && s.Type == "boot" && h.owns(s.Name) {
			last = s.index
		}
	}
	each := func(kind string, f func(section)) {
		for _, s := range all {
			if s.Type == kind && !h.owns(s.Name) {
				f(s)
			}
		}
	}
	each("dnsmasq", func(s section) {
		if b := s.text("dhcp_boot"); b != "" {
			add(s, "dhcp-boot="+b)
		}
		for _, p := range s.list("pxe_service") {
			add(s, "pxe-service="+p)
		}
	})
	placed := false
	each("boot", func(s section) {
		if last >= 0 && s.index > last && !placed {
			e.Before, placed = len(e.Lines), true
		}
		line := "dhcp-boot="
		if id := s.text("networkid"); id != "" {
			line += "tag:" + id + ","
		}
		if s.text("servername") == "" && s.text("serveraddress") != "" {
			return // the script writes nothing
		}
		add(s, line+s.text("filename")+","+s.text("servername")+","+s.text("serveraddress"))
	})
	if !placed {
		e.Before = len(e.Lines)
	}
	each("tag", func(s section) {
		force := ""
		if s.text("force") == "1" {
			force = "-force"
		}
		for _, o := range s.list("dhcp_option") {
			add(s, "dhcp-option"+force+"=tag:"+s.Name+","+o)
		}
	})
	for kind, line := range map[string][2]string{
		"match": {"dhcp-match", "match"}, "vendorclass": {"dhcp-vendorclass", "vendorclass"},
		"userclass": {"dhcp-userclass", "userclass"}, "mac": {"dhcp-mac", "mac"},
	} {
		each(kind, func(s section) {
			if id := s.text("networkid"); id != "" {
				add(s, line[0]+"=set:"+id+","+s.text(line[1]))
			}
		})
	}
	each("dhcp", func(s section) {
		if s.text("ignore") == "1" || s.text("dhcpv4") == "disabled" {
			return
		}
		if s.text("interface") == n.Name {
			if line, ok := rangeLine(s, n); ok {
				add(s, line)
			}
		}
		for _, o := range s.list("dhcp_option") {
			add(s, "dhcp-option=tag:"+s.text("interface")+","+o)
		}
	})
	return e
}

func oneLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }

// rangeLine is a pool as a range: start and limit count from the network's address.
func rangeLine(s section, n Network) (string, bool) {
	start, err := strconv.ParseUint(s.text("start"), 10, 32)
	if err != nil {
		start = 100
	}
	limit, err := strconv.ParseUint(s.text("limit"), 10, 32)
	if err != nil {
		limit = 150
	}
	net := n.Addresses[0].Masked()
	size := uint64(1) << (32 - net.Bits())
	if limit == 0 || start+limit > size {
		if start >= size {
			return "", false
		}
		limit = size - start
	}
	line := fmt.Sprintf("dhcp-range=set:%s,%s,%s", n.Name, plus(net.Addr(), start), plus(net.Addr(), start+limit-1))
	if s.text("dynamicdhcp") == "0" {
		line = fmt.Sprintf("dhcp-range=set:%s,%s,static", n.Name, plus(net.Addr(), start))
	}
	return line, true
}

func plus(a netip.Addr, n uint64) netip.Addr {
	b := a.As4()
	sum := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	sum += n
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}
