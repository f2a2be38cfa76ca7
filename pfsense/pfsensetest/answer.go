package pfsensetest

import (
	"net/netip"
	"slices"
	"strings"
)

// asker is the part of a DISCOVER that a DHCP server looks at.
type asker struct {
	mac       string
	hasArch   bool
	arch      uint16 // option 93
	http      bool   // option 60 begins with HTTPClient
	ipxe      bool   // user class (option 77) iPXE
	option175 bool
	params    []uint8 // option 55; nil: none was sent
	requested netip.Addr
	device    string // on which interface it arrived
}

func (a asker) asksFor(code uint8) bool { return slices.Contains(a.params, code) }

// answer is the network boot part of an answer.
type answer struct {
	siaddr  netip.Addr
	file    string           // BOOTP file
	options map[uint8]string // 17, 60, 66, 67 and the site's own
}

// place is where an address comes from, and whose settings apply: the interface's, those of its pool, those of a static
// mapping.
type place struct {
	section Tree
	own     bool // of the interface's own range
	pool    Tree // the additional pool; nil: none
	mapping Tree // the MAC's; nil: it has none
}

// answerTo is the answer of the daemon that t selects, in this release of pfSense.
func (t Tree) answerTo(release string, p place, a asker) answer {
	if t.engine() == engineKea {
		return t.keaAnswer(release, p, a)
	}
	return iscAnswer(p, a)
}

// iscAnswer is the answer of dhcpd with the dhcpd.conf that pfSense writes: the interface's settings, then those of the
// pool, then those of the mapping, each overriding the ones before. Without option 55 all options are sent.
func iscAnswer(p place, a asker) answer {
	s := answer{options: map[uint8]string{}}
	send := func(code uint8, text string) {
		if text != "" && (a.params == nil || a.asksFor(code)) {
			s.options[code] = text
		}
	}
	for _, level := range []Tree{p.section, p.pool, p.mapping} {
		if level == nil {
			continue
		}
		text := func(name string) string { v, _ := level.Text(name); return v }
		if _, mapping := level["mac"]; mapping && text("filename") != "" {
			s.file = text("filename") // with or without the flag
		}
		send(66, text("tftp"))
		for _, item := range level.List("numberoptions/item") {
			number, _ := item.Text("number")
			if code := customNumber(number); code != 0 {
				send(code, optionText(item))
			}
		}
		if _, on := level.Text("netboot"); !on {
			continue
		}
		if text("uefihttpboot") != "" {
			send(60, "HTTPClient") // to every client, not only to HTTPClients
		}
		send(17, text("rootpath"))
		// The daemon resolves a host name when it starts; the ones here have no address.
		if next, err := netip.ParseAddr(text("nextserver")); err == nil && next.Is4() {
			s.siaddr = next
		}
		if file := choose(keysOf(level), a); file != "" {
			s.file = file
		}
	}
	return s
}

// keaAnswer is the answer of Kea with the configuration that pfSense writes: only the interface's settings apply, and
// the name is sent in option 67 only, to clients that request it.
func (t Tree) keaAnswer(release string, p place, a asker) answer {
	s := answer{options: map[uint8]string{}}
	text := func(name string) string { v, _ := p.section.Text(name); return v }
	send := func(code uint8, text string) {
		if text != "" && a.asksFor(code) {
			s.options[code] = text
		}
	}
	if p.own { // its pool's option, not the subnet's
		send(66, text("tftp"))
	}
	if _, on := p.section.Text("netboot"); on {
		if next, err := netip.ParseAddr(text("nextserver")); err == nil && next.Is4() {
			s.siaddr = next
		}
		file := choose(keysOf(p.section), a)
		if strings.HasPrefix(release, "2.7.1-") || strings.HasPrefix(release, "2.7.2-") {
			file = text("filename") // these two give it to every architecture
		}
		send(67, file)
	}
	if !takesCustom(release) {
		return s
	}
	// At an interface it is checked, and left out if Kea would reject it; at the top level it is used as it is.
	iface, ok := parseCustom(text("custom_kea_config"))
	if !ok || !iface.known("boot-file-name", "option-data", "next-server") {
		iface = custom{}
	}
	global, _ := t.Text("kea/custom_kea_config")
	top, _ := parseCustom(global)
	sayCustom(top, iface, a, &s)
	return s
}

// choose is the file for a: by option 60, by architecture, or else the BIOS one.
func choose(k Keys, a asker) string {
	text := func(name string) string {
		if v := k[name]; v != nil {
			return *v
		}
		return ""
	}
	own := ""
	switch {
	case a.http && text("uefihttpboot") != "":
		own = text("uefihttpboot")
	case !a.hasArch:
	case a.arch == 6:
		own = text("filename32")
	case a.arch == 7, a.arch == 9:
		own = text("filename64")
	case a.arch == 10:
		own = text("filename32arm")
	case a.arch == 11:
		own = text("filename64arm")
	}
	if own == "" {
		own = text("filename")
	}
	return own
}

// takesCustom: versions before 2025-03 have no such field, and ignore it.
func takesCustom(release string) bool {
	return !strings.HasPrefix(release, "2.7.") && !strings.HasPrefix(release, "24.")
}

func customNumber(text string) uint8 {
	switch text {
	case "43":
		return 43
	case "60":
		return 60
	case "66":
		return 66
	case "67":
		return 67
	}
	return 0
}
