package dhcp

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/firmware"
)

// Values are what a backend can write. The DHCP servers' own checks are not relied on: they accept an address like
// 10.77.0.999, and a quote or a comma would change the meaning of the line that it stands in.
type Values struct {
	Forbidden string // ASCII characters that the server's file cannot carry, besides control characters
	MaxURL    int    // bytes
	// Name is what else is wrong with a boot file name, or ""; nil: nothing.
	Name func(string) string
	// Reached reports whether machines reach this loopback address; nil: never.
	Reached func(netip.Addr) bool
}

// Check refuses what of want's next-server, boot file names and URLs cannot be written, or would reach nobody.
func (v Values) Check(want Boot) []Problem {
	var bad []Problem
	add := func(code, format string, args ...any) { bad = append(bad, Refusal(code, format, args...)) }
	a := want.NextServer
	unreachable := a.IsLoopback() && (v.Reached == nil || !v.Reached(a))
	if !a.Is4() || a.IsUnspecified() || a.IsMulticast() || unreachable {
		add("bad-next-server", "next-server is %v; want an IPv4 address that machines can reach", a)
	}
	for _, a := range firmware.Arches() {
		if name := want.NBP[a]; name != "" {
			if why := v.checkName(name); why != "" {
				add("bad-boot-file", "boot file %q for %v %s", name, a, why)
			}
		}
		if u := want.URL[a]; u != "" {
			if why := v.CheckURL(u, v.MaxURL, "http", "https"); why != "" {
				add("bad-url", "URL %q for %v %s", u, a, why)
			}
			if a == firmware.BIOS {
				add("bad-url", "URL %q is for BIOS, which does not support HTTP boot", u)
			}
		}
	}
	return bad
}

func (v Values) checkName(name string) string {
	if why := v.checkText(name, MaxBootFile); why != "" || v.Name == nil {
		return why
	}
	return v.Name(name)
}

// CheckURL is what is wrong with a URL of at most longest bytes and of one of the schemes, or "".
func (v Values) CheckURL(text string, longest int, schemes ...string) string {
	if why := v.checkText(text, longest); why != "" {
		return why
	}
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, " ") || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return "is invalid: want a URL with " + strings.Join(schemes, " or ")
	}
	return ""
}

func (v Values) checkText(s string, longest int) string {
	forbidden := func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(v.Forbidden, r) }
	switch {
	case len(s) > longest:
		return fmt.Sprintf("has %d bytes; a DHCP server sends at most %d there", len(s), longest)
	case strings.ContainsFunc(s, forbidden):
		return fmt.Sprintf("has a character that the DHCP server's file cannot carry: one of %q, or not printable ASCII",
			v.Forbidden)
	}
	return ""
}
