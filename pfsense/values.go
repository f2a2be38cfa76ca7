package pfsense

import (
	"net/netip"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// maxURL is the longest URL: what fits in one DHCP option. ISC DHCP sends it as the boot file name.
const maxURL = 255

// checkBoot lists what in want cannot be written. pfSense's own form checks hardly anything, and ISC DHCP has names in
// quotes in one file for all interfaces, where a syntax error stops DHCP on every one of them; so everything is checked
// here.
func checkBoot(want dhcp.Boot, f firewall, p iface) []dhcp.Problem {
	if want == (dhcp.Boot{}) {
		return nil
	}
	bad := f.values(p).Check(want)
	if want.NBP == ([firmware.NumArch]string{}) && want.URL == ([firmware.NumArch]string{}) {
		bad = append(bad, dhcp.Refusal("no-boot-file", "no boot file or URL is set"))
	}
	return bad
}

// values is what dhcpd.conf, in which names stand in quotes, can carry. On a loopback network, as in a demonstration on
// one machine, a loopback address works.
func (f firewall) values(p iface) dhcp.Values {
	v := dhcp.Values{Forbidden: `"\`, MaxURL: maxURL, Reached: func(a netip.Addr) bool { return p.network().Contains(a) }}
	if !f.kea() {
		v.MaxURL = dhcp.MaxBootFile
	}
	return v
}
