package dnsmasq

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Rule is what Dnsmasq sends to machines of one kind, in the form that each way of configuring it can say: lines of a
// drop-in, rows of a table, sections of a file.
type Rule struct {
	// Kind is for names of tags: "bios", "efi64", "http-efi64", "ipxe".
	Kind string
	// Arches are the numbers of option 93 that such machines send (RFC 4578 section 2.1), any of them. nil: the rule is
	// for iPXE, whatever its architecture, which sends option 175.
	Arches []uint16
	File   string     // boot file or URL
	Server netip.Addr // next-server, IPv4
	// Vendor is option 60, to be sent to machines that do not ask for it as well: firmware accepts an offer of HTTP boot
	// only with it (UEFI 2.10 section 24.7.3). "": none.
	Vendor string
}

const (
	ipxeKind   = "ipxe"
	httpPrefix = "http-"
)

func httpKind(a firmware.Arch) string { return httpPrefix + a.String() }

// Rules are what b says, in the order in which they must be applied where the last rule that matches wins: what iPXE is
// sent is last. Where iPXE has a rule, the others are not for it.
func Rules(b dhcp.Boot) []Rule {
	var rules []Rule
	for _, a := range firmware.Arches() {
		if name := b.NBP[a]; name != "" {
			rules = append(rules, Rule{Kind: a.String(), Arches: wire[a].tftp, File: name, Server: b.NextServer})
		}
	}
	for _, a := range firmware.Arches() {
		if u := b.URL[a]; u != "" {
			rules = append(rules, Rule{Kind: httpKind(a), Arches: wire[a].http, File: u, Server: b.NextServer,
				Vendor: "HTTPClient"})
		}
	}
	if b.Script != "" {
		rules = append(rules, Rule{Kind: ipxeKind, File: b.Script, Server: b.NextServer})
	}
	return rules
}

// IPXE reports whether the rule is for iPXE and not for firmware.
func (r Rule) IPXE() bool { return r.Arches == nil }

// Kinds are all that a Rule can have, in the order of Rules.
func Kinds() []string {
	var tftp, http []string
	for _, a := range firmware.Arches() {
		tftp = append(tftp, a.String())
		if wire[a].http != nil {
			http = append(http, httpKind(a))
		}
	}
	return append(append(tftp, http...), ipxeKind)
}

// Add adds what a rule of that kind says to b. It fails where the kind is unknown, the file empty or the server no IPv4
// address, and where b says something else already, which stays.
func Add(b *dhcp.Boot, kind, file, server string) error {
	to := place(b, kind)
	addr, err := netip.ParseAddr(server)
	switch {
	case to == nil:
		return fmt.Errorf("unknown kind %q", kind)
	case file == "":
		return fmt.Errorf("%s has no boot file", kind)
	case *to != "" && *to != file:
		return fmt.Errorf("%s has two boot files, %s and %s", kind, *to, file)
	case err != nil || !addr.Is4():
		return fmt.Errorf("%s: next-server %q is not an IPv4 address", kind, server)
	}
	*to = file
	if b.NextServer.IsValid() && b.NextServer != addr {
		return fmt.Errorf("%s: next-server is %s, and %s elsewhere", kind, addr, b.NextServer)
	}
	b.NextServer = addr
	return nil
}

// place is where b has the file of a kind; nil: nowhere.
func place(b *dhcp.Boot, kind string) *string {
	if kind == ipxeKind {
		return &b.Script
	}
	arch, http := strings.CutPrefix(kind, httpPrefix)
	i := slices.IndexFunc(firmware.Arches(), func(a firmware.Arch) bool { return a.String() == arch })
	switch {
	case i < 0:
		return nil
	case http:
		return &b.URL[firmware.Arches()[i]]
	}
	return &b.NBP[firmware.Arches()[i]]
}
