package dnsmasq

import (
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// problems are conflicts of d with the rest of the configuration, and effects of d on other interfaces.
func (s *Server) problems(t tree, n network, d dropIn) []dhcp.Problem {
	j := s.judge(t, n, d)
	list := s.served(t, n)
	list = append(list, s.ranges(t, j)...)
	list = append(list, j.unreached()...)
	for i, line := range t.lines {
		if line.file == s.file {
			continue
		}
		if q, ok := j.defeats(line, i > t.own); ok {
			list = append(list, q)
		} else if q, ok := s.conflict(line, n, i > t.own); ok {
			list = append(list, q)
		}
	}
	if d.mode == ModeProxy {
		list = append(list, s.beyond(t, d)...)
	}
	return list
}

// served refuses if Dnsmasq does not answer DHCP on the interface at all.
func (s *Server) served(t tree, n network) []dhcp.Problem {
	var named, except []directive
	byName, byAddr := false, false
	for _, d := range t.lines {
		switch d.name {
		case "interface":
			named = append(named, d)
			byName = byName || slices.ContainsFunc(d.fields, s.isNamed)
		case "listen-address":
			named = append(named, d)
			byAddr = byAddr || slices.ContainsFunc(d.fields, func(f string) bool {
				a, err := netip.ParseAddr(f)
				return err == nil && slices.Contains(n.own(), a)
			})
		case "except-interface":
			if slices.ContainsFunc(d.fields, s.isNamed) {
				except = append(except, d)
			}
		case "no-dhcp-interface", "no-dhcpv4-interface":
			if slices.ContainsFunc(d.fields, s.isNamed) {
				return []dhcp.Problem{dhcp.Refusal("not-served", "Dnsmasq does not answer DHCP on %s: %s", s.cfg.Interface,
					d.where())}
			}
		}
	}
	switch {
	case byAddr:
	case len(except) > 0:
		return []dhcp.Problem{dhcp.Refusal("not-served", "Dnsmasq does not listen on %s: %s", s.cfg.Interface,
			except[0].where())}
	case len(named) > 0 && !byName:
		return []dhcp.Problem{dhcp.Refusal("not-served",
			"Dnsmasq does not listen on %s, only on others: %s; add interface=%s",
			s.cfg.Interface, named[0].where(), s.cfg.Interface)}
	}
	return nil
}

// isNamed matches an interface name of the configuration, which may end in *.
func (s *Server) isNamed(field string) bool {
	if start, wild := strings.CutSuffix(field, "*"); wild {
		return strings.HasPrefix(s.cfg.Interface, start)
	}
	return field == s.cfg.Interface
}

// ranges refuses a mode that contradicts the configuration's dhcp-range lines.
func (s *Server) ranges(t tree, j judge) []dhcp.Problem {
	n := j.n
	leases, proxies := rangesOf(j.lines, s.cfg.Interface, n)
	shared := slices.ContainsFunc(j.lines, func(d directive) bool { return d.name == "shared-network" })
	switch {
	case s.cfg.Mode == ModeProxy && len(leases) > 0:
		return []dhcp.Problem{dhcp.Refusal("leases-here",
			"mode proxy is for networks where another server leases addresses, but this Dnsmasq leases them: %s; set "+
				"dhcp.dnsmasq.mode to server", leases[0].where())}
	case s.cfg.Mode == ModeServer && len(leases) > 0 && leasesToKnown(leases) && j.known == never:
		return []dhcp.Problem{j.onlyKnown(leases[0].directive)}
	case s.cfg.Mode == ModeServer && len(leases) == 0 && len(t.unread) == 0 && !shared:
		if len(proxies) > 0 {
			return []dhcp.Problem{dhcp.Refusal("no-range",
				"Dnsmasq is only a proxy on this network (%s); set dhcp.dnsmasq.mode to proxy", proxies[0].where())}
		}
		return []dhcp.Problem{dhcp.Refusal("no-range",
			"Dnsmasq leases no addresses in %v: no dhcp-range covers it; add one, or set dhcp.dnsmasq.mode to proxy where "+
				"another server leases", n.addrs[0].Masked())}
	}
	return nil
}

// conflict is the effect of a line of another file on machines on the interface; later: it is read after the drop-in.
func (s *Server) conflict(d directive, n network, later bool) (dhcp.Problem, bool) {
	tags, rest := d.tags()
	if !appliesTo(tags, s.cfg.Interface, n.others) {
		return dhcp.Problem{}, false
	}
	first := ""
	if len(rest) > 0 {
		first = strings.TrimPrefix(rest[0], "option:")
	}
	switch d.name {
	case "dhcp-boot":
		switch {
		case len(tags) == 0:
			return dhcp.Note("other-boot", "%s is sent to machines that pxeagent does not cover", d.where()), true
		case later:
			return dhcp.Note("other-boot", "%s is read later and wins for machines with these tags", d.where()), true
		}
		return dhcp.Note("other-boot", "%s applies to machines with these tags that pxeagent does not cover", d.where()), true
	case "dhcp-option", "dhcp-option-force":
		if slices.Contains([]string{"43", "60", "66", "67", "150", "vendor-encap", "vendor-class", "tftp-server",
			"bootfile-name", "tftp-server-address"}, first) {
			return dhcp.Note("other-option", "%s sends boot information in addition to pxeagent's", d.where()), true
		}
		if first == "175" || strings.HasPrefix(first, "encap:175") {
			return dhcp.Note("other-option", "%s changes what iPXE does", d.where()), true
		}
	case "dhcp-match", "dhcp-vendorclass", "dhcp-userclass":
		return s.otherMatch(d)
	case "pxe-service", "pxe-prompt":
		return dhcp.Note("other-pxe", "%s is shown to PXE machines in addition to pxeagent's settings", d.where()), true
	case "dhcp-optsfile", "dhcp-optsdir":
		return dhcp.Note("options-file",
			"options from that file are sent in addition to pxeagent's and may set a second boot file: %s", d.where()), true
	case "enable-tftp":
		if len(d.fields) == 0 || slices.ContainsFunc(d.fields, s.isNamed) {
			return dhcp.Note("own-tftp", "Dnsmasq serves TFTP itself, on the port that pxeagent needs on the same machine: %s",
				d.where()), true
		}
	case "dhcp-ignore":
		return dhcp.Note("ignores-clients", "machines that match are never answered: %s", d.where()), true
	}
	return dhcp.Problem{}, false
}

// otherMatch is a line that tags machines by the same options as pxeagent. It has no effect by itself.
func (s *Server) otherMatch(d directive) (dhcp.Problem, bool) {
	if len(d.fields) < 1 || strings.Contains(d.fields[0], "pxeagent-") {
		return dhcp.Problem{}, false
	}
	by := ""
	if len(d.fields) > 1 {
		by = strings.TrimPrefix(d.fields[1], "option:")
	}
	boots := d.name == "dhcp-match" && slices.Contains([]string{"60", "77", "93", "175", "vendor-class", "user-class",
		"client-arch"}, by) ||
		strings.HasPrefix(by, "PXEClient") || strings.HasPrefix(by, "HTTPClient") || strings.EqualFold(by, "iPXE")
	if !boots {
		return dhcp.Problem{}, false
	}
	return dhcp.Note("other-match", "%s also tags network boot clients; lines that use its tag may conflict", d.where()),
		true
}

// beyond is the effect of a proxy's lines on other networks: Dnsmasq cannot limit them to one interface.
func (s *Server) beyond(t tree, d dropIn) []dhcp.Problem {
	var list []dhcp.Problem
	ranges, pxe, http := false, false, false
	for _, line := range t.lines {
		if line.file == s.file {
			continue
		}
		_, ok := asRange(line)
		ranges = ranges || ok || line.name == "dhcp-relay"
		pxe = pxe || line.name == "pxe-service" || line.name == "pxe-prompt"
		http = http || line.name == "dhcp-pxe-vendor" && slices.Contains(line.fields, "HTTPClient")
	}
	switch {
	case !ranges:
		list = append(list, dhcp.Note("opens-ports",
			"affects all interfaces: Dnsmasq does not do DHCP yet and will open UDP ports 67 and 4011; it answers only on %s",
			s.cfg.Interface))
	case !pxe:
		list = append(list, dhcp.Note("opens-ports",
			"affects all interfaces: Dnsmasq will open UDP port 4011; it answers there only on %s", s.cfg.Interface))
		list = append(list, dhcp.Note("affects-pxe",
			"affects all networks that this Dnsmasq leases on: PXE machines are sent option 60 PXEClient, and use the "+
				"boot file of the offer"))
	}
	if d.boot.URL != [firmware.NumArch]string{} && !http {
		list = append(list, dhcp.Note("affects-http",
			"affects all networks that this Dnsmasq serves: dhcp-pxe-vendor makes it answer HTTPClient to machines that send "+
				"it"))
	}
	return list
}
