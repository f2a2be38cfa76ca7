package pfsensetest

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
)

// The DHCP engines.
const (
	engineISC = "isc"
	engineKea = "kea"
)

// engine is the daemon that t selects: ISC if it has no setting, as before 2.7.1, when there was no choice.
func (t Tree) engine() string {
	if text, _ := t.Text("dhcpbackend"); text == engineKea {
		return engineKea
	}
	return engineISC
}

// startable reports whether a DHCP daemon starts with t: no setting of any interface stops it, and DHCP is enabled on
// one of them.
func (t Tree) startable() bool {
	any := false
	for id := range t.Under("dhcpd") {
		section := t.Under("dhcpd/" + id)
		if _, on := section.Text("enable"); !on {
			continue
		}
		any = true
		if t.engine() == engineKea && section.stopsKea() || t.engine() == engineISC && section.stopsISC() {
			return false
		}
	}
	if t.engine() == engineKea {
		text, _ := t.Text("kea/custom_kea_config")
		if c, ok := parseCustom(text); !ok || !c.globalKeysKnown() {
			return false
		}
	}
	return any
}

// stopsISC: dhcpd.conf has values in quotes, in one file for all interfaces, and nothing is escaped.
func (section Tree) stopsISC() bool {
	breaks := func(text string) bool { return strings.Contains(text, `"`) || strings.HasSuffix(text, `\`) }
	for _, level := range append(append([]Tree{section}, section.List("pool")...), section.List("staticmap")...) {
		_, on := level.Text("netboot")
		_, mapping := level["mac"]
		for name, value := range level {
			text, _ := value.(string)
			carried := on || !slices.Contains(keyNames, name) || mapping && name == "filename"
			if name != "descr" && name != "custom_kea_config" && carried && breaks(text) {
				return true
			}
		}
		if slices.ContainsFunc(level.List("numberoptions/item"), func(item Tree) bool { return breaks(optionText(item)) }) {
			return true
		}
	}
	return false
}

// stopsKea: its configuration is JSON, which escapes everything, but next-server must be an address.
func (section Tree) stopsKea() bool {
	_, on := section.Text("netboot")
	text, _ := section.Text("nextserver")
	_, err := netip.ParseAddr(text)
	return on && text != "" && err != nil
}

// optionText is the value of a custom option, which config.xml stores in base64.
func optionText(item Tree) string {
	text, _ := item.Text("value")
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return string(value)
}
