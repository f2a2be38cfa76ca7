package dnsmasq

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/firmware"
)

// parsed is a drop-in that was read, with the lines that are unknown.
type parsed struct {
	dropIn
	odd []string // "line 7: dhcp-authoritative"
}

// parseDropIn parses a drop-in as far as it can: it may have been edited by hand.
func parseDropIn(raw []byte, iface string) parsed {
	p := parsed{dropIn: dropIn{mode: ModeServer}}
	for d := range directives("", string(raw)) {
		if !p.take(d, iface) {
			p.odd = append(p.odd, fmt.Sprintf("line %d: %s", d.line, strings.TrimSpace(d.raw)))
		}
	}
	return p
}

// edited is how the text differs from what pxeagent would write for it, or "".
func (p parsed) edited(raw []byte, iface string) string {
	switch {
	case len(p.odd) == 1:
		return "a line that pxeagent does not write (" + p.odd[0] + ")"
	case len(p.odd) > 1:
		return fmt.Sprintf("%d lines that pxeagent does not write (the first: %s)", len(p.odd), p.odd[0])
	case !bytes.Equal(raw, p.render(iface)):
		return "lines or comments that pxeagent does not write"
	}
	return ""
}

// take adds one line; false if it is unknown.
func (p *parsed) take(d directive, iface string) bool {
	tags, rest := d.tags()
	switch {
	case d.broken:
		return false
	case d.name == "dhcp-match":
		// Only our own tags are used below: the match lines follow from them.
		return strings.HasPrefix(d.value, "set:pxeagent-"+iface+"-")
	case d.name == "dhcp-boot":
		return p.takeBoot(tags, rest, iface)
	case d.name == "dhcp-option-force":
		return len(rest) == 2 && rest[0] == "60" && rest[1] == "HTTPClient"
	case d.name == "dhcp-range" && len(rest) == 2 && rest[1] == "proxy":
		net, err := netip.ParseAddr(rest[0])
		if err != nil || !net.Is4() {
			return false
		}
		p.mode, p.nets = ModeProxy, append(p.nets, net)
		return true
	case d.name == "pxe-service" && len(rest) == 4:
		return p.takeService(rest)
	case d.name == "pxe-prompt", d.name == "dhcp-pxe-vendor":
		return true
	}
	return false
}

// takeBoot reads the rest of a dhcp-boot line: file, server name, address.
func (p *parsed) takeBoot(tags, rest []string, iface string) bool {
	if len(rest) != 3 {
		return false
	}
	kind := ""
	for _, tag := range tags {
		if k, ok := strings.CutPrefix(tag, "pxeagent-"+iface+"-"); ok {
			kind = k
		}
	}
	return Add(&p.boot, kind, rest[0], rest[2]) == nil
}

func (p *parsed) takeService(rest []string) bool {
	for _, a := range firmware.Arches() {
		if slices.ContainsFunc(wire[a].csa, func(csa string) bool { return strings.EqualFold(csa, rest[0]) }) {
			return Add(&p.boot, a.String(), rest[2], rest[3]) == nil
		}
	}
	return false
}
