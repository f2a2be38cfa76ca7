package opnsense

import (
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// host is a machine that Dnsmasq knows.
type host struct {
	MAC    text `json:"hwaddr"` // one or more, with commas
	SetTag text `json:"set_tag"`
	IP     text `json:"ip"`
	Ignore text `json:"ignore"`
}

// elsewhere is what the firewall gives to its Dnsmasq, as far as it has to do with network boot. Interfaces and tags
// are named otherwise than in its file, where they are devices and uuids. Ours are as they will be after a change to
// want. Boot entries that will stand after some of ours are not in e: each is judged by itself.
func (w *dnsmasqWay) elsewhere(r rows, hosts []host, want []entry) (e dnsmasq.Elsewhere, later []laterBoot) {
	e = dnsmasq.Elsewhere{Tag: w.iface.Name, Addresses: w.iface.Addresses, ProbeMAC: w.cfg.ProbeMAC}
	if len(e.Addresses) == 0 {
		e.Addresses = w.iface.Networks
	}
	for _, i := range w.overview.interfaces {
		if i.Name != w.iface.Name {
			e.Others = append(e.Others, i.Name)
		}
	}
	names := w.tagNames(r, want)
	add := func(where, name string, fields ...string) {
		e.Lines = append(e.Lines, lineOf(where, name, fields...))
	}
	for _, l := range w.overview.ranges {
		if start, end, ok := l.ends(); ok {
			add("DHCP ranges", "dhcp-range", l.fields(start, end, names)...)
		}
	}
	for _, h := range hosts {
		if h.MAC != "" {
			add("Hosts", "dhcp-host", append(h.MAC.list(), set(names, string(h.SetTag)), string(h.IP), ignore(h.Ignore))...)
		}
	}
	for _, o := range r.options {
		if !w.own.has(o.UUID) && o.Fields["option"] != "" && o.unsafe() == "" {
			name, fields := o.option(names)
			add(o.where(), name, fields...)
		}
	}
	for _, o := range want {
		if o.Fields["type"] == "match" { // others may use our tags
			name, fields := o.option(names)
			add("pxeagent's", name, fields...)
		}
	}
	base := e
	base.Lines = slices.Clone(e.Lines)
	want = w.own.canonical(want)
	moved, to := w.own.moved(r.of(w.own), want), byUUID(want)
	var before []entry // ours that stay where they are, so far
	for _, b := range r.boots {
		if w.own.has(b.UUID) {
			if mine, stays := to[b.UUID]; stays && !moved[b.UUID] {
				before = append(before, mine)
			}
			continue
		}
		if b.unsafe() != "" {
			continue // it is refused
		}
		fields := conditions(names, b.Fields["tag"], b.Fields["interface"])
		line := lineOf(b.where(), "dhcp-boot", append(fields, b.Fields["filename"], b.Fields["servername"],
			b.Fields["address"])...)
		if len(before) == 0 {
			e.Lines = append(e.Lines, line)
			continue
		}
		l := laterBoot{Elsewhere: base, line: line}
		for _, mine := range before {
			for _, k := range dnsmasq.Kinds() {
				if mine.UUID == w.own.bootUUID(k) {
					_ = dnsmasq.Add(&l.over, k, mine.Fields["filename"], mine.Fields["address"])
				}
			}
		}
		later = append(later, l)
	}
	e.Before = len(e.Lines)
	return e, later
}

// laterBoot is somebody's boot entry that stands after some of ours, or all.
type laterBoot struct {
	dnsmasq.Elsewhere // without any boot entry
	line              dnsmasq.Line
	over              dhcp.Boot // what those of ours say
}

// problems are those that there would not be without it.
func (l laterBoot) problems() []dhcp.Problem {
	e := l.Elsewhere
	e.Before = len(e.Lines)
	without, _ := e.Problems(l.over)
	e.Lines = append(slices.Clone(e.Lines), l.line)
	with, _ := e.Problems(l.over)
	return slices.DeleteFunc(with, func(q dhcp.Problem) bool { return slices.Contains(without, q) })
}

func lineOf(where, name string, fields ...string) dnsmasq.Line {
	return dnsmasq.Line{Text: name + "=" + strings.Join(trimEmpty(fields), ","), Where: where}
}

// fields are a range's, as far as they matter.
func (l leases) fields(start, end netip.Addr, names map[string]string) []string {
	fields := append(conditions(nil, "", string(l.Interface)), set(names, string(l.SetTag)), start.String())
	if strings.Contains(string(l.Mode), "static") {
		fields = append(fields, "static")
	} else {
		fields = append(fields, end.String())
	}
	return append(fields, string(l.Mask))
}

// option is the line of an option row: what is sent, or what is looked for.
func (e entry) option(names map[string]string) (name string, fields []string) {
	if e.Fields["type"] == "match" {
		return "dhcp-match", []string{set(names, e.Fields["set_tag"]), e.Fields["option"], e.Fields["value"]}
	}
	name = "dhcp-option"
	if e.Fields["force"] == "1" {
		name = "dhcp-option-force"
	}
	return name, append(conditions(names, e.Fields["tag"], e.Fields["interface"]), e.Fields["option"], e.Fields["value"])
}

// conditions are what machines must have: tags, which are uuids with commas, and the interface, if there is one.
func conditions(names map[string]string, uuids, iface string) []string {
	var fields []string
	if iface != "" {
		fields = append(fields, "tag:"+iface)
	}
	for _, id := range text(uuids).list() {
		fields = append(fields, "tag:"+nameOf(names, id))
	}
	return fields
}

func set(names map[string]string, uuid string) string {
	if uuid == "" {
		return ""
	}
	return "set:" + nameOf(names, uuid)
}

func nameOf(names map[string]string, uuid string) string {
	if name := names[strings.ToLower(uuid)]; name != "" {
		return name
	}
	return strings.ReplaceAll(uuid, "-", "")
}

func ignore(flag text) string {
	if flag == "1" {
		return "ignore"
	}
	return ""
}

// tagNames are the names of tags by uuid, as far as they can stand in a line and mean nothing else there.
func (w *dnsmasqWay) tagNames(r rows, want []entry) map[string]string {
	names := map[string]string{}
	taken := map[string]bool{"known": true, "known-othernet": true, "bootp": true, "dhcpv6": true}
	for _, i := range w.overview.interfaces {
		taken[i.Name] = true
	}
	for _, e := range r.tags {
		name := e.Fields["tag"]
		if taken[name] || strings.ContainsAny(name, " ,:\"\\!#\t\r\n") || strings.HasPrefix(name, "pxeagent") {
			continue
		}
		taken[name], names[e.UUID] = true, name
	}
	for _, e := range want {
		if e.Table == tags {
			// As a condition of somebody else's row it holds for the machines of our matches.
			names[e.UUID] = "of-pxeagent-" + e.Fields["tag"]
		}
	}
	return names
}

// trimEmpty removes empty fields, as the firewall does.
func trimEmpty(fields []string) []string {
	var full []string
	for _, f := range fields {
		if f != "" {
			full = append(full, f)
		}
	}
	return full
}

// judge is what speaks against a change to want, and why the probe may hear nothing.
func (w *dnsmasqWay) judge(r rows, hosts []host, want dhcp.Boot) (list []dhcp.Problem, silence string) {
	list = append(r.problems(w.own, want), w.inUse(r, w.own.entries(want))...)
	if ok, _ := w.overview.dnsmasqServes(w.iface); !ok || len(w.iface.Networks) == 0 {
		return list, ""
	}
	e, later := w.elsewhere(r, hosts, w.own.entries(want))
	more, silence := e.Problems(want)
	list = append(list, more...)
	for _, l := range later {
		list = append(list, l.problems()...)
	}
	return list, silence
}
