package dnsmasq

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"pxeagent/agent/firmware"
)

// share says for which machines of one kind something holds.
type share uint8

const (
	never share = iota
	some        // for those that a line names, or where it cannot be known
	always
)

func not(s share) share { return always - s }

// asked is what a machine of one kind sends: DHCP options 93, 60 and 77, and 175 where it is iPXE.
type asked struct {
	arch         int
	vendor, user string
	ipxe         bool
}

func askedBy(c firmware.Client) asked {
	a := asked{arch: int(c.Option93()), ipxe: c == firmware.ClientIPXE}
	protocol, undi := "PXEClient", "003000"
	switch {
	case c.HTTP():
		protocol = "HTTPClient"
	case c.Arch() == firmware.BIOS:
		undi = "002001"
	}
	if a.ipxe {
		a.user = "iPXE"
	}
	a.vendor = fmt.Sprintf("%s:Arch:%05d:UNDI:%s", protocol, a.arch, undi)
	return a
}

// tagger knows which tags Dnsmasq gives to requests on one interface, as far as its configuration says.
type tagger struct {
	lines []directive
	iface string
	n     network
	known share // whether the machine that the probe asks as has a dhcp-host line
	mac   net.HardwareAddr
}

// meets reports for which machines of c all conditions hold: "efi64", "!ipxe".
func (t tagger) meets(conditions []string, c firmware.Client) share {
	return t.all(conditions, askedBy(c), 0)
}

// maxTagIf is how many tag-if lines are followed, one to the next.
const maxTagIf = 8

func (t tagger) all(conditions []string, a asked, depth int) share {
	s := always
	for _, tag := range conditions {
		if plain, negated := strings.CutPrefix(tag, "!"); negated {
			s = min(s, not(t.has(plain, a, depth)))
		} else {
			s = min(s, t.has(tag, a, depth))
		}
	}
	return s
}

// has reports for which machines the tag is set.
func (t tagger) has(tag string, a asked, depth int) share {
	switch {
	case tag == t.iface:
		return always
	case slices.Contains(t.n.others, tag), strings.HasPrefix(tag, "pxeagent-"), tag == "bootp", tag == "dhcpv6":
		return never
	case tag == "known":
		return t.known
	case tag == "known-othernet", depth > maxTagIf:
		return some
	}
	s := never
	for _, d := range t.lines {
		s = max(s, t.sets(d, tag, a, depth))
	}
	return s
}

// sets reports for which machines d sets the tag. The word set: may be missing in most lines.
func (t tagger) sets(d directive, tag string, a asked, depth int) share {
	first, value := "", ""
	if len(d.fields) > 0 {
		first = strings.TrimPrefix(strings.TrimPrefix(d.fields[0], "set:"), "net:")
	}
	if len(d.fields) > 1 {
		value = d.fields[1]
	}
	named := slices.Contains(d.fields, "set:"+tag)
	switch d.name {
	case "dhcp-match":
		if first == tag {
			return matches(value, d.fields[min(2, len(d.fields)):], a)
		}
	case "dhcp-vendorclass":
		if first == tag {
			return sometimes(strings.Contains(a.vendor, value), always)
		}
	case "dhcp-userclass":
		if first == tag {
			return sometimes(a.user != "" && strings.Contains(a.user, value), always)
		}
	case "dhcp-mac", "dhcp-circuitid", "dhcp-remoteid", "dhcp-subscrid", "dhcp-name-match":
		return sometimes(first == tag, some)
	case "dhcp-host":
		switch {
		case named && hostHas(d, t.mac):
			return always
		case named || slices.Contains(d.fields, "net:"+tag):
			return some
		}
	case "dhcp-range":
		return t.rangeSets(d, tag, named, first == tag)
	case "tag-if":
		if named {
			return t.all(conditionsOf(d), a, depth+1)
		}
	}
	return never
}

func sometimes(holds bool, s share) share {
	if holds {
		return s
	}
	return never
}

// conditionsOf are the tags that a tag-if line requires, wherever they stand in it.
func conditionsOf(d directive) []string {
	var conditions []string
	for _, f := range d.fields {
		if tag, ok := isTag(f); ok {
			conditions = append(conditions, tag)
		}
	}
	return conditions
}

// rangeSets: a range sets its tag for the machines of its network.
func (t tagger) rangeSets(d directive, tag string, named, first bool) share {
	r, ok := asRange(d)
	if !ok || !named && !first {
		return never
	}
	covered := 0
	for _, p := range t.n.addrs {
		if r.covers(p) {
			covered++
		}
	}
	switch covered {
	case 0:
		return never
	case len(t.n.addrs):
		return always
	}
	return some
}

// matches is dhcp-match: option and the values that it may have; none: any.
func matches(option string, values []string, a asked) share {
	switch strings.TrimPrefix(option, "option:") {
	case "93", "client-arch":
		return sometimes(len(values) == 0 || slices.ContainsFunc(values, func(v string) bool {
			n, err := strconv.ParseInt(strings.ReplaceAll(v, ":", ""), base(v), 32)
			return err == nil && int(n) == a.arch
		}), always)
	case "175":
		return sometimes(a.ipxe, always)
	case "60", "vendor-class":
		return sometimes(len(values) == 0 || slices.ContainsFunc(values, func(v string) bool {
			return strings.HasPrefix(a.vendor, v)
		}), always)
	case "77", "user-class":
		return sometimes(a.user != "" && (len(values) == 0 || slices.Contains(values, a.user)), always)
	}
	return some
}

// base of a number in a line: 00:07 is hexadecimal.
func base(v string) int {
	if strings.Contains(v, ":") {
		return 16
	}
	return 10
}

// knows reports whether the machine that the probe asks as, mac, is known to Dnsmasq: without an address of its own the
// probe asks as a machine that nobody knows.
func knows(lines []directive, mac net.HardwareAddr) share {
	s := never
	if len(mac) == 0 {
		return s
	}
	for _, d := range lines {
		switch {
		case d.name == "dhcp-host" && hostHas(d, mac):
			return always
		case d.name == "dhcp-hostsfile", d.name == "dhcp-hostsdir", d.name == "read-ethers":
			s = some
		}
	}
	return s
}

// hostHas reports whether a dhcp-host line is for mac: 52:54:00:12:34:56, with * for any byte, 01- before it for the
// hardware type.
func hostHas(d directive, mac net.HardwareAddr) bool {
	return len(mac) > 0 && slices.ContainsFunc(d.fields, func(f string) bool {
		if kind, rest, ok := strings.Cut(f, "-"); ok && len(kind) <= 2 && strings.Contains(rest, ":") {
			f = rest
		}
		parts := strings.Split(f, ":")
		if len(parts) != len(mac) {
			return false
		}
		for i, p := range parts {
			if n, err := strconv.ParseUint(p, 16, 8); p != "*" && (err != nil || byte(n) != mac[i]) {
				return false
			}
		}
		return true
	})
}
