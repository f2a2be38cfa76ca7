// Package dhcp is the vocabulary of network boot at a DHCP server: what a boot
// configuration is, how a change to one is planned, kept in a journal, applied,
// verified on the wire and reverted. It knows no particular DHCP server;
// backends implement Server.
package dhcp

import (
	"bytes"
	"net/netip"
	"strings"

	"pxeagent/agent/firmware"
)

// Boot is what a DHCP server tells machines about network boot. The zero Boot
// says nothing. Boots are comparable with ==.
type Boot struct {
	NextServer netip.Addr               // siaddr, IPv4 (RFC 2131 section 2)
	NBP        [firmware.NumArch]string // boot file by Arch: BOOTP file or option 67; at most 127 bytes
	URL        [firmware.NumArch]string // UEFI HTTP boot URL, by Arch
	Script     string                   // URL that iPXE itself is sent, where the server can tell it apart
}

// Change is one field in which two Boots differ.
type Change struct {
	Field  string `json:"field"`  // "next-server", "nbp bios", "url efi64", "script"
	Before string `json:"before"` // "" if not set
	After  string `json:"after"`
}

// Diff lists the fields in which after differs from before, in the order of Boot's fields.
func Diff(before, after Boot) []Change {
	var changes []Change
	add := func(field, old, new string) {
		if old != new {
			changes = append(changes, Change{field, old, new})
		}
	}
	add("next-server", addrText(before.NextServer), addrText(after.NextServer))
	for _, a := range firmware.Arches() {
		add("nbp "+a.String(), before.NBP[a], after.NBP[a])
	}
	for _, a := range firmware.Arches() {
		add("url "+a.String(), before.URL[a], after.URL[a])
	}
	add("script", before.Script, after.Script)
	return changes
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Expect is the boot file or URL that c should be offered by a server that holds b,
// and "" where b says nothing about c. A ROM finds it by TFTP on b.NextServer.
// A server that cannot tell iPXE apart (no Script) sends it what it sends a BIOS ROM.
func (b Boot) Expect(c firmware.Client) string {
	switch {
	case c.IsIPXE() && b.Script != "":
		return b.Script
	case c.HTTP():
		return b.URL[c.Arch()]
	}
	return b.NBP[c.Arch()]
}

// FirstFile is the URL that c should fetch first by b, written as firmware.Decision has it, and "" where b says nothing
// about c.
func (b Boot) FirstFile(c firmware.Client) string {
	name := b.Expect(c)
	if name == "" || IsURL(name) {
		return name
	}
	return "tftp://" + addrText(b.NextServer) + "/" + strings.TrimPrefix(name, "/")
}

// State is a boot configuration as a backend found it.
type State struct {
	Boot Boot
	// Raw is the backend's own record, enough for an exact revert. nil means that there
	// was none (no file, no keys), which is not the same as an empty one.
	Raw []byte
	// Stopped: the DHCP server did not run. A revert to such a state stops it. A backend that cannot tell or cannot stop
	// its server never sets it.
	Stopped bool
}

// Same reports whether s and t are the same record to the byte.
func (s State) Same(t State) bool {
	return (s.Raw == nil) == (t.Raw == nil) && bytes.Equal(s.Raw, t.Raw)
}

// IsURL reports whether a boot file is an http or https URL, and not a name to be fetched by TFTP.
func IsURL(bootFile string) bool {
	return strings.HasPrefix(bootFile, "http://") || strings.HasPrefix(bootFile, "https://")
}
