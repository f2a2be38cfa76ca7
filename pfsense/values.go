package pfsense

import (
	"fmt"
	"net/url"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// maxURL is the longest URL: what fits in one DHCP option. ISC DHCP sends it as the boot file name.
const maxURL = 255

// checkBoot lists what in want cannot be written. pfSense's own form checks hardly anything, and ISC DHCP has names in
// quotes in one file for all interfaces, where a syntax error stops DHCP on every one of them; so everything is checked
// here.
func checkBoot(want dhcp.Boot, f firewall, p iface) []dhcp.Problem {
	can := f.can(p)
	if want == (dhcp.Boot{}) {
		return nil
	}
	var bad []dhcp.Problem
	add := func(code, format string, args ...any) { bad = append(bad, dhcp.Refusal(code, format, args...)) }
	// On a loopback network, as in a demonstration on one machine, a loopback address works.
	if a := want.NextServer; !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() &&
		!p.network().Contains(a) {
		add("bad-next-server", "next-server is %v; want an IPv4 address that machines can reach", a)
	}
	longest := maxURL
	if !f.kea() {
		longest = dhcp.MaxBootFile
	}
	files, first := false, ""
	for _, a := range firmware.Arches() {
		if name := want.NBP[a]; name != "" {
			files = true
			if why := badText(name, dhcp.MaxBootFile); why != "" {
				add("bad-boot-file", "boot file %q for %v %s", name, a, why)
			}
		}
		u := want.URL[a]
		if u == "" {
			continue
		}
		files = true
		if why := badURL(u, longest); why != "" {
			add("bad-url", "URL %q for %v %s", u, a, why)
		}
		switch {
		case a == firmware.BIOS:
			add("bad-url", "URL %q is for BIOS, which does not support HTTP boot", u)
		case first == "":
			first = u
		case u != first && can.http:
			add("two-urls", "pfSense has one URL for all architectures, but two are wanted: %q and %q", first, u)
		}
	}
	if !files {
		add("no-boot-file", "no boot file or URL is set")
	}
	return bad
}

func badURL(text string, longest int) string {
	if why := badText(text, longest); why != "" {
		return why
	}
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, " ") || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "is no http or https URL"
	}
	return ""
}

func badText(s string, longest int) string {
	switch {
	case len(s) > longest:
		return fmt.Sprintf("has %d bytes; a DHCP server sends at most %d there", len(s), longest)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }):
		return "has a quote, backslash, control or non-ASCII character, which dhcpd.conf cannot carry"
	}
	return ""
}
