package pfsense

import (
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// contradictions are other settings of the interface that send machines something other than want.
func (f firewall) contradictions(p iface, want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	add := func(code, format string, args ...any) { list = append(list, dhcp.Note(code, format, args...)) }
	s := *p.DHCP
	next := want.NextServer.String()
	if s.TFTP != "" && s.TFTP != next {
		add("option-66", "the DHCP settings send TFTP server %q in option 66 while next-server is %s; some clients prefer "+
			"option 66", s.TFTP, next)
	}
	if s.RootPath != "" {
		add("root-path", "root path %q is sent in option 17; iPXE would try to mount it", s.RootPath)
	}
	for _, o := range s.Options {
		// Kea ignores custom options.
		if f.kea() {
			continue
		}
		switch text := strings.TrimSpace(o.Value); {
		case o.Number == "66" && text != next:
			add("option-66", "a custom option 66 is %q while next-server is %s; some clients prefer option 66", text, next)
		case o.Number == "67" && !slices.Contains(want.NBP[:], text):
			list = append(list, dhcp.Refusal("option-67",
				"a custom option 67 sends %q to every machine that requests it, and firmware prefers it to the boot file",
				text))
		case o.Number == "67" && distinct(want.NBP) > 1:
			list = append(list, dhcp.Refusal("option-67",
				"a custom option 67 sends %q to machines of every architecture, and firmware prefers it to the boot file",
				text))
		case o.Number == "60":
			add("option-60", "a custom option 60 is %q: machines may not recognize the offer as PXE", text)
		}
	}
	if n := p.network(); n.IsValid() && !n.Contains(want.NextServer) {
		add("next-server-elsewhere",
			"next-server %s is outside %s (%v): the firewall's rules must allow TFTP and HTTP to it", next, p.label(),
			n.Masked())
	}
	if f.SyncTo != "" {
		add("ha-primary", "this firewall syncs its settings to %s: the peer sends the same only after the sync", f.SyncTo)
	}
	return list
}

// stillBoots are settings that name a boot file or its server with network boot off. Kea ignores custom options.
func (f firewall) stillBoots(p iface) []dhcp.Problem {
	var list []dhcp.Problem
	if p.DHCP.TFTP != "" {
		list = append(list, dhcp.Refusal("still-boots",
			"the DHCP settings send TFTP server %q in option 66, also with network boot off: empty that field first",
			p.DHCP.TFTP))
	}
	for _, o := range p.DHCP.Options {
		if (o.Number == "66" || o.Number == "67") && !f.kea() {
			list = append(list, dhcp.Refusal("still-boots",
				"a custom option %s sends %q, also with network boot off: remove it first", o.Number,
				strings.TrimSpace(o.Value)))
		}
	}
	return list
}

func distinct(names [firmware.NumArch]string) int {
	all := map[string]bool{}
	for _, n := range names {
		if n != "" {
			all[n] = true
		}
	}
	return len(all)
}
