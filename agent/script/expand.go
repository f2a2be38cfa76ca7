package script

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// A word that was expanded may hold what nobody but the machine knows. It is kept in the text as the setting's name
// between two marks.
const (
	markOpen  = "\x01"
	markClose = "\x02"
)

// maxValue bounds a value: a script that doubles a setting line by line ends there.
const maxValue = 4096

// unknown is text that stands for the value of a setting that is not known.
func unknown(name string) string { return markOpen + name + markClose }

func isKnown(text string) bool { return !strings.Contains(text, markOpen) }

// unknownNames are the settings on which a text depends.
func unknownNames(text string) (names []string) {
	for {
		_, after, found := strings.Cut(text, markOpen)
		if !found {
			return names
		}
		name, rest, _ := strings.Cut(after, markClose)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		text = rest
	}
}

// wholly is the setting's name where a text is the value of one unknown setting and nothing else.
func wholly(text string) (name string, is bool) {
	inner, open := strings.CutPrefix(text, markOpen)
	name, end, closed := strings.Cut(inner, markClose)
	return name, open && closed && end == ""
}

// readable is a text with unknown settings as the script writes them.
func readable(text string) string {
	return strings.NewReplacer(markOpen, "${", markClose, "}").Replace(text)
}

// machineOnly are settings that only the machine has. Others that nobody set are empty.
var machineOnly = []string{
	"mac", "uuid", "serial", "asset", "manufacturer", "product", "board-serial", "cpuvendor", "cpumodel", "memsize",
	"unixtime", "errno",
	"chip", "busid", "bustype", "busloc", "linktype", "mtu", "ifname", "hwaddr", "sysmac", "username", "password",
	"keymap", "user-class",
	"vendor-class", "scriptlet", "cwuri", "cwduri", "ip6", "gateway6", "dns6", "version", "platform", "buildarch",
	"next-server", "filename",
	"ip", "gateway", "netmask", "dns", "domain", "hostname", "root-path", "ntp", "ntp-server", "dhcp-server",
	"dhcp-server-identifier",
	"len6", "bootfile", "syslog", "priority", "skip-san-boot", "keep-san", "gateway-ip",
}

// hardware are blocks of settings that are read from the machine.
var hardware = []string{
	"pci",
	"smbios",
	"cpuid",
	"memmap",
	"usb",
	"acpi",
	"efi",
	"dhcp",
	"proxydhcp",
	"pxebs",
	"ndp",
	"vram",
	"efi",
}

// value is that of a setting. Its type is the one with which it was assigned: inc fails on a string.
type value struct {
	text string
	typ  string
}

// numeric reports whether inc can count a value.
func (v value) numeric() bool {
	return strings.HasPrefix(v.typ, "int") || strings.HasPrefix(v.typ, "uint")
}

// splitName takes a setting's name apart: [block/]name[:type].
func splitName(text string) (name, typ string) {
	name, typ, _ = strings.Cut(text, ":")
	return name, typ
}

// isCard reports whether a block is a network card's: net0, netX, net0.dhcp.
func isCard(block string) bool {
	first, _, _ := strings.Cut(block, ".")
	return strings.HasPrefix(first, "net") && len(first) == 4
}

// lookup is the value of a setting. A name without a block is searched in the root and then in every block.
func (s *state) lookup(name string) string {
	if v, has := s.settings[name]; has {
		return v.text
	}
	block, base, inBlock := cutLast(name, "/")
	if !inBlock {
		for _, key := range slices.Sorted(maps.Keys(s.settings)) {
			if _, last, in := cutLast(key, "/"); in && last == name {
				return s.settings[key].text
			}
		}
		if slices.Contains(machineOnly, name) || isNumber(name) {
			return unknown(name)
		}
		return s.unset(name)
	}
	if isCard(block) {
		// The card that the machine booted from is taken to be the one that is named.
		if v, has := s.settings[base]; has && slices.Contains(machineOnly, base) {
			return v.text
		}
		return unknown(name)
	}
	first, _, _ := strings.Cut(block, ".")
	if slices.Contains(hardware, first) {
		return unknown(name)
	}
	return s.unset(name)
}

// unset is the value of a setting that the script did not set: empty, unless others may have set it.
func (s *state) unset(name string) string {
	if s.open && name != "" {
		return unknown(name)
	}
	return ""
}

// isNumber reports whether a setting is named by the number of a DHCP option, such as 175.8.
func isNumber(name string) bool { return name != "" && strings.Trim(name, "0123456789.") == "" }

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// expand puts in the settings of one word as iPXE does: the first "}" and the nearest "${" before it, again and again,
// so that a value that holds "${k}" is expanded as well.
func (s *state) expand(word string) string {
	for range 64 {
		first := strings.Index(word, "${")
		if first < 0 {
			return word
		}
		length := strings.IndexByte(word[first:], '}')
		if length < 0 {
			return word
		}
		end := first + length
		start := strings.LastIndex(word[:end], "${")
		v := s.valueOf(word[start+2 : end])
		if len(word)+len(v) > maxValue {
			return word[:start] + unknown("too long") + word[end+1:]
		}
		word = word[:start] + v + word[end+1:]
	}
	return word
}

// valueOf is the text that takes the place of ${key}.
func (s *state) valueOf(key string) string {
	if strings.Contains(key, markOpen) {
		return unknown(readable(key))
	}
	name, typ := splitName(key)
	text := s.lookup(name)
	switch {
	case text == "" || typ == "" || typ == "string" || strings.HasPrefix(typ, "ipv") || typ == "uuid" || typ == "guid":
		return text
	case typ == "hexhyp" && isKnown(text):
		return strings.ReplaceAll(text, ":", "-")
	case typ == "hexraw" && isKnown(text):
		return strings.ReplaceAll(text, ":", "")
	case typ == "hex":
		return text
	case typ == "uristring" && isKnown(text):
		return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	case strings.HasPrefix(typ, "int") && isKnown(text) && isNumber(text):
		return text
	}
	return unknown(key)
}
