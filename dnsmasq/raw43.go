package dnsmasq

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// isOption reports whether a line sets a DHCP option, by its number or its name.
func (d directive) isOption(number, name string) (value string, is bool) {
	if d.name != "dhcp-option" && d.name != "dhcp-option-force" || d.broken {
		return "", false
	}
	_, rest := d.tags()
	if len(rest) == 0 || rest[0] != number && rest[0] != "option:"+name {
		return "", false
	}
	return strings.Join(rest[1:], ","), true
}

// raw is the value of an option as Dnsmasq sends it: bytes in hexadecimal (06:01:03), an address, or text.
func raw(value string) []byte {
	if parts := strings.Split(value, ":"); len(parts) > 1 {
		var b []byte
		for _, p := range parts {
			one, err := hex.DecodeString(strings.Repeat("0", max(0, 2-len(p))) + p)
			if err != nil {
				return []byte(value)
			}
			b = append(b, one...)
		}
		return b
	}
	if a, err := netip.ParseAddr(value); err == nil && a.Is4() {
		return a.AsSlice()
	}
	return []byte(value)
}

// sent are the lines that certainly set an option for machines of c. Dnsmasq sends but one of several; which one is not
// followed here.
func (j judge) sent(c firmware.Client, number, name string) (of []directive) {
	for _, d := range j.lines {
		if _, is := d.isOption(number, name); !is {
			continue
		}
		if tags, _ := d.tags(); j.meets(tags, c) == always {
			of = append(of, d)
		}
	}
	return of
}

// raw43 refuses a line that fills option 43 by itself, where Dnsmasq calls itself a PXE server as well (option 60): a
// boot menu or boot server discovery then comes before the boot file. Where that leads is what the model of each client
// says of such an offer.
func (j judge) raw43(d directive) (dhcp.Problem, bool) {
	value, is := d.isOption("43", "vendor-encap")
	if !is || j.menus {
		return dhcp.Problem{}, false // who else fills it is judged by those lines
	}
	var who []firmware.Client
	why := ""
	for _, c := range j.clients {
		classes := j.sent(c, "60", "vendor-class")
		// Clients of HTTP boot are sent the rules' own option 60, which is limited to them by a tag and so wins.
		if c.HTTP() || len(classes) != 1 || !same(j.sent(c, "43", "vendor-encap"), d) {
			continue
		}
		class, _ := classes[0].isOption("60", "vendor-class")
		decision := firmware.Decide(c, []firmware.Offer{j.offer(c, class, raw(value))})
		// BIOS that asks port 4011 alone goes on with the offer's file where nothing answers.
		goesOn := c.Arch() == firmware.BIOS && len(decision.Ask) > 0 && decision.Ask[0].Item == 0
		if decision.URL == j.boot.FirstFile(c) || goesOn {
			continue
		}
		if who = append(who, c); why == "" {
			why = decision.Reason
		}
	}
	if len(who) == 0 {
		return dhcp.Problem{}, false
	}
	return dhcp.Refusal("boot-menu",
		"%s: %s would follow it and not fetch pxeagent's boot files (%s); remove it, or limit it to other machines by a tag",
		d.where(), names(who), why), true
}

// same reports whether d is the one line of lines.
func same(lines []directive, d directive) bool {
	return len(lines) == 1 && lines[0].file == d.file && lines[0].line == d.line
}

// offer is what Dnsmasq sends a machine of c, with an option 60 and an option 43.
func (j judge) offer(c firmware.Client, class string, encapsulated []byte) firmware.Offer {
	const offer = 2 // RFC 2132 section 9.6
	here := j.boot.NextServer
	// The network has no mask: next-server is reached, whatever the rest of the plan says of that.
	options := map[byte][]byte{
		1: {0, 0, 0, 0}, 43: encapsulated, 53: {offer}, 54: here.AsSlice(), 60: []byte(class),
		67: append([]byte(j.boot.Expect(c)), 0),
	}
	return firmware.Offer{
		Client: c, Server: here, From: here, YourIP: here.Next(), NextServer: here, Option67: j.boot.Expect(c),
		Vendor: class, Type: offer, Options: options,
	}
}

// fills43 reports whether a line puts something into option 43 of PXE clients, and is not that option itself.
func fills43(d directive) bool {
	switch d.name {
	case "pxe-service", "pxe-prompt":
		return true
	case "dhcp-option", "dhcp-option-force":
		_, rest := d.tags()
		return len(rest) > 0 && slices.ContainsFunc([]string{"vendor:", "encap:43"},
			func(start string) bool { return strings.HasPrefix(rest[0], start) })
	}
	return false
}
