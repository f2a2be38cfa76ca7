package pfsense

import (
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// problems is what a person should know before want is written for p; sends is what the firewall will send.
func (f firewall) problems(p iface, want, sends dhcp.Boot) []dhcp.Problem {
	list := f.refusals(p, want)
	if p.DHCP == nil {
		return list
	}
	if want == (dhcp.Boot{}) {
		return append(list, f.stillBoots(p)...)
	}
	list = append(list, f.engineNotes(p, want, sends)...)
	list = append(list, f.overrides(*p.DHCP)...)
	list = append(list, f.clients(p)...)
	return append(list, f.contradictions(p, want)...)
}

// refusals are reasons why a change would do harm, or have no effect.
func (f firewall) refusals(p iface, want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	if off := (dhcp.Boot{}); want != off {
		switch {
		case f.Relay:
			list = append(list, dhcp.Refusal("relay", "the firewall is a DHCP relay for another server"))
		case p.DHCP == nil:
			list = append(list, dhcp.Refusal("no-dhcp", "the firewall has no DHCP settings for %s", p.label()))
		case !p.DHCP.Enable:
			list = append(list, dhcp.Refusal("dhcp-off", "the firewall's DHCP server is disabled on %s", p.label()))
		}
	}
	if f.secondary(p) {
		list = append(list, dhcp.Refusal("ha-secondary",
			"this firewall is the secondary of an HA pair, and the primary overwrites its DHCP settings: configure the primary"))
	}
	if f.Dirty {
		list = append(list, dhcp.Refusal("unapplied",
			"the firewall has DHCP settings that were saved but not applied; they would take effect with this change"))
	}
	if odd := f.unsafe(p); len(odd) > 0 {
		list = append(list, dhcp.Refusal("unsafe-text",
			"values in the DHCP settings that can stop the DHCP server on all interfaces when it reloads: %s",
			strings.Join(odd, ", ")))
	}
	return list
}

// secondary: pfSense takes the side whose CARP address has a skew of 20 or more for the secondary, and adds 100 to it
// when it copies.
func (f firewall) secondary(p iface) bool {
	if f.KeaHA != nil && f.kea() && f.KeaHA.Role != "primary" {
		return true
	}
	return f.SyncTo == "" && p.AdvSkew != nil && *p.AdvSkew >= 20
}

// unsafe names the values that could stop the daemon, except those of p that the change replaces.
func (f firewall) unsafe(p iface) []string {
	var list []string
	for _, o := range f.Odd {
		name, own := strings.CutPrefix(o.Path, p.ID+"/")
		if own && slices.Contains(fieldNames[:], name) {
			continue
		}
		why := map[string]string{"quote": "has a quote", "control": "has a control character",
			"backslash": "ends in a backslash", "address": "is not an IPv4 address"}[o.Why]
		if why == "" {
			why = "is not safe"
		}
		list = append(list, fmt.Sprintf("%q %s", o.Path, why))
	}
	return list
}

// engineNotes are what this DHCP engine cannot send, and what it sends in addition.
func (f firewall) engineNotes(p iface, want, sends dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	can := f.can(p)
	add := func(code, format string, args ...any) { list = append(list, dhcp.Note(code, format, args...)) }
	if !f.Running {
		add("not-running", "the firewall's DHCP server is not running")
	}
	switch {
	case sends.Script != "":
		list = append(list, f.scriptNotes(p)...)
	case want.Script != "" && can.script:
		add("no-script", "pfSense sends iPXE the same file as firmware; pxeagent serves iPXE the script by TFTP and HTTP "+
			"instead. With chain: dhcp, Kea can tell them apart")
	case want.Script != "":
		add("no-script", "pfSense cannot tell iPXE from firmware and sends both the same file; pxeagent serves iPXE the "+
			"script by TFTP and HTTP instead")
	}
	url := oneURL(want)
	switch {
	case url == "":
	case !can.http:
		add("no-http-boot", "Kea on pfSense does not support UEFI HTTP boot, because it does not send option 60 back: the "+
			"URL is not set")
	case f.kea():
		add("kea-custom", "Kea sends the URL without option 60, which UEFI HTTP boot needs, unless the firewall's custom "+
			"configuration adds it")
	default:
		add("http-option-60",
			"with a URL set, ISC DHCP sends option 60 \"HTTPClient\" to every machine on %s that requests it, PXE firmware "+
				"included", p.label())
	}
	if can.oneName {
		add("arch-fault", "Kea on pfSense %s sends the BIOS file %q to every machine, UEFI included; update pfSense, or "+
			"use ISC DHCP", f.Version, sends.NBP[firmware.BIOS])
		return list
	}
	if can.http && url != "" {
		var others []string
		for _, a := range firmware.Arches() {
			if want.URL[a] != sends.URL[a] {
				others = append(others, a.String())
			}
		}
		if len(others) > 0 {
			add("other-archs-url", "pfSense has one URL for all architectures, and sends %s also for %s", url,
				strings.Join(others, ", "))
		}
	}
	var others []string
	for _, a := range firmware.Arches() {
		if want.NBP[a] == "" && sends.NBP[a] != "" {
			others = append(others, a.String())
		}
	}
	if len(others) > 0 {
		add("other-archs", "pfSense sends the BIOS file %q also to architectures without a file: %s",
			sends.NBP[firmware.BIOS],
			strings.Join(others, ", "))
	}
	return list
}

// overrides are the mappings and pools that send something else.
func (f firewall) overrides(s section) []dhcp.Problem {
	var list []dhcp.Problem
	ignored := ""
	if f.kea() {
		ignored = "; Kea ignores them"
	}
	for _, m := range s.Maps {
		if says := bootSettings(m.Keys, m.RootPath); says != "" {
			list = append(list, dhcp.Note("mapping", "the static mapping of %s has its own boot settings: %s%s", m.label(), says,
				ignored))
		}
	}
	for _, p := range s.Pools {
		if says := bootSettings(p.Keys, p.RootPath); says != "" && p.Keys[netboot].present {
			list = append(list, dhcp.Note("pool", "the pool %s has its own boot settings: %s%s", p.label(), says, ignored))
		}
	}
	return list
}

// bootSettings is what k would send, or "".
func bootSettings(k keys, rootPath string) string {
	var says []string
	for f, s := range k {
		if field(f) != netboot && s.text != "" {
			says = append(says, fmt.Sprintf("%s %q", fieldNames[f], s.text))
		}
	}
	if rootPath != "" {
		says = append(says, fmt.Sprintf("rootpath %q", rootPath))
	}
	if len(says) == 0 && k[netboot].present {
		return "netboot without a file"
	}
	return strings.Join(says, ", ")
}

func (m mapping) label() string {
	for _, name := range []string{m.Host, m.Descr} {
		if name != "" {
			return fmt.Sprintf("%q (%s)", name, m.MAC)
		}
	}
	return m.MAC
}

func (p pool) label() string {
	text := p.From + "-" + p.To
	if p.Descr != "" {
		text = fmt.Sprintf("%q (%s)", p.Descr, text)
	}
	return text
}

// clients are reasons why some machines, and the probe, get no offer.
func (f firewall) clients(p iface) []dhcp.Problem {
	var list []dhcp.Problem
	s := *p.DHCP
	all := append([]pool{s.pool}, s.Pools...)
	for i, one := range all {
		where := p.label()
		if i > 0 {
			where = "the pool " + one.label()
		}
		if one.DenyUnknown != "" && one.DenyUnknown != "disabled" {
			list = append(list, dhcp.Note("deny-unknown", "%s answers only known clients: set probe.mac to the MAC of one",
				where))
		}
		if one.MACAllow != "" || one.MACDeny != "" {
			list = append(list, dhcp.Note("mac-filter",
				"%s answers only some MAC addresses (allow %q, deny %q): set probe.mac to one of them", where, one.MACAllow,
				one.MACDeny))
		}
	}
	if free, known := f.free(all); known && free == 0 {
		list = append(list, dhcp.Note("pool-full",
			"all addresses of %s are leased: new machines, and the probe, get no offer",
			p.label()))
	}
	return list
}

// silence is why the probe, as any machine that is not known to the firewall, gets no offer on p; "" if it should.
func (f firewall) silence(p iface) string {
	if p.DHCP == nil {
		return ""
	}
	for _, q := range f.clients(p) {
		return q.Text
	}
	return ""
}

// free is how many addresses of the pools are not leased.
func (f firewall) free(pools []pool) (free int, known bool) {
	if f.Leased == nil {
		return 0, false
	}
	taken := parseAddrs(f.Leased...)
	for _, p := range pools {
		ends := parseAddrs(p.From, p.To)
		if len(ends) != 2 || ends[1].Less(ends[0]) {
			continue
		}
		known = true
		from, to := ends[0].As4(), ends[1].As4()
		free += int(number(to)) - int(number(from)) + 1
		for _, a := range taken {
			if !a.Less(ends[0]) && !ends[1].Less(a) {
				free--
			}
		}
	}
	return free, known
}

func number(a [4]byte) uint32 {
	return uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
}
