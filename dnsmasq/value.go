package dnsmasq

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// checkBoot lists what of want cannot be written. `dnsmasq --test` takes an address like 10.77.0.999 and an
// empty file name, and a comma or a quote would change the meaning of the line, so nothing is left to it.
func checkBoot(want dhcp.Boot, mode Mode) []dhcp.Problem {
	var bad []dhcp.Problem
	refuse := func(code, format string, args ...any) {
		bad = append(bad, dhcp.Problem{Code: code, Text: fmt.Sprintf(format, args...), Refuse: true})
	}
	if want == (dhcp.Boot{}) {
		return nil
	}
	if a := want.NextServer; !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		refuse("bad-next-server", "next-server is %v; want an IPv4 address that machines can reach", a)
	}
	files := want.Script != ""
	for _, a := range firmware.Arches() {
		if name := want.NBP[a]; name != "" {
			files = true
			if why := badName(name, mode); why != "" {
				refuse("bad-boot-file", "boot file %q for %v %s", name, a, why)
			}
		}
		if u := want.URL[a]; u != "" {
			files = true
			if why := badURL(u, "http", "https"); why != "" {
				refuse("bad-url", "URL %q for %v %s", u, a, why)
			}
			if a == firmware.BIOS {
				refuse("bad-url", "URL %q is for BIOS, which has no HTTP boot", u)
			}
		}
	}
	if want.Script != "" {
		if why := badURL(want.Script, "http", "https", "tftp"); why != "" {
			refuse("bad-script", "script URL %q %s", want.Script, why)
		}
	}
	if !files {
		refuse("no-boot-file", "no boot file, URL or script is named: machines would be told nothing")
	}
	return bad
}

// badName is what is wrong with a boot file name, or "".
func badName(name string, mode Mode) string {
	switch {
	case badText(name) != "":
		return badText(name)
	case strings.HasPrefix(name, "tag:"), strings.HasPrefix(name, "net:"):
		return "begins like a tag of Dnsmasq"
	case mode == ModeProxy && !strings.Contains(name, "."):
		return `has no dot: as a proxy Dnsmasq would append ".0" to it`
	}
	return ""
}

func badURL(text string, schemes ...string) string {
	if why := badText(text); why != "" {
		return why
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return "is no URL of scheme " + strings.Join(schemes, " or ")
	}
	return ""
}

func badText(s string) string {
	switch {
	case len(s) > dhcp.MaxBootFile:
		return fmt.Sprintf("has %d bytes; a DHCP header holds %d", len(s), dhcp.MaxBootFile)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' || r == '"' || r == '\\' }):
		return "has a blank, comma, quote, backslash, control or non-ASCII character, which a line of Dnsmasq's cannot carry"
	}
	return ""
}
