package dnsmasq

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// problems are conflicts of the rules with the rest of the configuration, and their effects on other networks.
func (j judge) problems() []dhcp.Problem {
	list := j.served()
	list = append(list, j.ranges()...)
	list = append(list, j.unreached()...)
	for i, line := range j.lines {
		if q, ok := j.defeats(line, i >= j.before); ok {
			list = append(list, q)
		} else if q, ok := j.conflict(line, i >= j.before); ok {
			list = append(list, q)
		}
	}
	if j.mode == ModeProxy {
		list = append(list, j.beyond()...)
	}
	return list
}

// served refuses if Dnsmasq does not answer DHCP on the interface at all.
func (j judge) served() []dhcp.Problem {
	var named, except []directive
	byName, byAddr := false, false
	for _, d := range j.lines {
		switch d.name {
		case "interface":
			named = append(named, d)
			byName = byName || slices.ContainsFunc(d.fields, j.isNamed)
		case "listen-address":
			named = append(named, d)
			byAddr = byAddr || slices.ContainsFunc(d.fields, func(f string) bool {
				a, err := netip.ParseAddr(f)
				return err == nil && slices.Contains(j.n.own(), a)
			})
		case "except-interface":
			if slices.ContainsFunc(d.fields, j.isNamed) {
				except = append(except, d)
			}
		case "no-dhcp-interface", "no-dhcpv4-interface":
			if slices.ContainsFunc(d.fields, j.isNamed) {
				return []dhcp.Problem{dhcp.Refusal("not-served", "Dnsmasq does not answer DHCP on %s: %s", j.iface,
					d.where())}
			}
		}
	}
	switch {
	case byAddr:
	case len(except) > 0:
		return []dhcp.Problem{dhcp.Refusal("not-served", "Dnsmasq does not listen on %s: %s", j.iface,
			except[0].where())}
	case len(named) > 0 && !byName:
		return []dhcp.Problem{dhcp.Refusal("not-served",
			"Dnsmasq does not listen on %s, only on others: %s; add interface=%s",
			j.iface, named[0].where(), j.iface)}
	}
	return nil
}

// isNamed matches an interface name of the configuration, which may end in *.
func (j judge) isNamed(field string) bool {
	if start, wild := strings.CutSuffix(field, "*"); wild {
		return strings.HasPrefix(j.iface, start)
	}
	return field == j.iface
}

// ranges refuses a mode that contradicts the configuration's dhcp-range lines.
func (j judge) ranges() []dhcp.Problem {
	leases, proxies := rangesOf(j.lines, j.iface, j.n)
	shared := slices.ContainsFunc(j.lines, func(d directive) bool { return d.name == "shared-network" })
	setMode := func(m Mode) string {
		if j.modeKey == "" {
			return ""
		}
		return fmt.Sprintf("set %s to %s", j.modeKey, m)
	}
	switch {
	case j.mode == ModeProxy && len(leases) > 0:
		return []dhcp.Problem{dhcp.Refusal("leases-here",
			"mode proxy is for networks where another server leases addresses, but this Dnsmasq leases them: %s; %s",
			leases[0].where(), setMode(ModeServer))}
	case j.mode == ModeServer && len(leases) > 0 && leasesToKnown(leases) && j.known == never:
		return []dhcp.Problem{j.onlyKnown(leases[0].directive)}
	case j.mode == ModeServer && len(leases) == 0 && !j.unread && !shared:
		if len(proxies) > 0 {
			return []dhcp.Problem{dhcp.Refusal("no-range", "Dnsmasq is only a proxy on this network (%s); %s",
				proxies[0].where(), setMode(ModeProxy))}
		}
		or := ""
		if j.modeKey != "" {
			or = ", or " + setMode(ModeProxy) + " where another server leases"
		}
		return []dhcp.Problem{dhcp.Refusal("no-range",
			"Dnsmasq leases no addresses in %v: no dhcp-range covers it; add one%s", j.n.addrs[0].Masked(), or)}
	}
	return nil
}

// conflict is the effect of a line on machines on the interface; later: it is read after the rules.
func (j judge) conflict(d directive, later bool) (dhcp.Problem, bool) {
	tags, rest := d.tags()
	if !appliesTo(tags, j.iface, j.n.others) {
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
		return otherMatch(d)
	case "pxe-service", "pxe-prompt":
		return dhcp.Note("other-pxe", "%s is shown to PXE machines in addition to pxeagent's settings", d.where()), true
	case "dhcp-optsfile", "dhcp-optsdir":
		return dhcp.Note("options-file",
			"options from that file are sent in addition to pxeagent's and may set a second boot file: %s", d.where()), true
	case "enable-tftp":
		if len(d.fields) == 0 || slices.ContainsFunc(d.fields, j.isNamed) {
			return dhcp.Note("own-tftp", "Dnsmasq serves TFTP itself, on the port that pxeagent needs on the same machine: %s",
				d.where()), true
		}
	case "dhcp-ignore":
		return dhcp.Note("ignores-clients", "machines that match are never answered: %s", d.where()), true
	}
	return dhcp.Problem{}, false
}

// otherMatch is a line that tags machines by the same options as pxeagent. It has no effect by itself.
func otherMatch(d directive) (dhcp.Problem, bool) {
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
func (j judge) beyond() []dhcp.Problem {
	var list []dhcp.Problem
	ranges, pxe, http := false, false, false
	for _, line := range j.lines {
		_, ok := asRange(line)
		ranges = ranges || ok || line.name == "dhcp-relay"
		pxe = pxe || line.name == "pxe-service" || line.name == "pxe-prompt"
		http = http || line.name == "dhcp-pxe-vendor" && slices.Contains(line.fields, "HTTPClient")
	}
	switch {
	case !ranges:
		list = append(list, dhcp.Note("opens-ports",
			"affects all interfaces: Dnsmasq does not do DHCP yet and will open UDP ports 67 and 4011; it answers only on %s",
			j.iface))
	case !pxe:
		list = append(list, dhcp.Note("opens-ports",
			"affects all interfaces: Dnsmasq will open UDP port 4011; it answers there only on %s", j.iface))
		list = append(list, dhcp.Note("affects-pxe",
			"affects all networks that this Dnsmasq leases on: PXE machines are sent option 60 PXEClient, and use the "+
				"boot file of the offer"))
	}
	if j.boot.URL != [firmware.NumArch]string{} && !http {
		list = append(list, dhcp.Note("affects-http",
			"affects all networks that this Dnsmasq serves: dhcp-pxe-vendor makes it answer HTTPClient to machines that send "+
				"it"))
	}
	return list
}
