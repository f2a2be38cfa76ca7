package dnsmasq

import (
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
)

// values is what a line of Dnsmasq's configuration can carry. As a proxy it appends ".0" to names without a dot.
func values(mode Mode) dhcp.Values {
	return dhcp.Values{Forbidden: ` ,"\`, MaxURL: dhcp.MaxBootFile, Name: func(name string) string {
		switch {
		case strings.HasPrefix(name, "tag:"), strings.HasPrefix(name, "net:"):
			return "begins like a tag of Dnsmasq"
		case mode == ModeProxy && !strings.Contains(name, "."):
			return `has no dot: as a proxy Dnsmasq would append ".0" to it`
		}
		return ""
	}}
}

// checkBoot lists what of want cannot be written.
func checkBoot(want dhcp.Boot, mode Mode, networks ...netip.Prefix) []dhcp.Problem {
	if want == (dhcp.Boot{}) {
		return nil
	}
	v := values(mode)
	v.Reached = func(a netip.Addr) bool {
		return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	bad := v.Check(want)
	if want.Script != "" {
		if why := values(mode).CheckURL(want.Script, dhcp.MaxBootFile, "http", "https", "tftp"); why != "" {
			bad = append(bad, dhcp.Refusal("bad-script", "script URL %q %s", want.Script, why))
		}
	}
	if want == (dhcp.Boot{NextServer: want.NextServer}) {
		bad = append(bad, dhcp.Refusal("no-boot-file", "no boot file, URL or script is set"))
	}
	return bad
}
