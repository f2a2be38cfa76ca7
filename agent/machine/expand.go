package machine

import (
	"fmt"
	"regexp"
	"strings"

	"pxeagent/agent/boot"
)

// Values are what stands for a machine in kernel arguments and in documents. What came over the wire is cleaned: see
// clean.
type Values struct {
	MAC          string // "52:54:00:12:34:56"; "" where not known, as all others
	UUID         string
	Serial       string
	Asset        string
	Manufacturer string
	Product      string
	Platform     string // "pcbios" or "efi"
	Arch         string // as iPXE was built
	Addr         string // that it asks from
	Host         string // of the configuration
	Profile      string // of the configuration
	Item         string // that it was sent to boot last
	Labels       map[string]string
	Server       string // the agent's URL: "http://10.0.0.7"
}

// DashedMAC is the MAC as BOOTIF= wants it, with dashes.
func (v Values) DashedMAC() string { return strings.ReplaceAll(v.MAC, ":", "-") }

func newValues(f boot.Facts, d Decision, addr, server string) Values {
	return Values{
		MAC: f.MAC, UUID: f.UUID, Serial: clean(f.Serial), Asset: clean(f.Asset),
		Manufacturer: clean(f.Manufacturer), Product: clean(f.Product),
		Platform: clean(
			f.Platform,
		), Arch: clean(f.Arch), Addr: addr, Host: d.Host, Profile: d.Profile, Labels: d.Labels, Server: server,
	}
}

// clean leaves of a text that came over the wire only what means nothing to shells, YAML, XML or iPXE.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(" ._-+/()", r) {
			return r
		}
		return '_'
	}, s)
}

// argument is a place in kernel arguments that stands for a fact: {{.MAC}}, {{.Labels.rack}}.
var argument = regexp.MustCompile(`\{\{\s*\.([A-Za-z]+)(?:\.([A-Za-z0-9._-]+))?\s*\}\}`)

// arguments are the names that may stand there.
var arguments = []string{
	"MAC",
	"DashedMAC",
	"UUID",
	"Serial",
	"Asset",
	"Addr",
	"Host",
	"Profile",
	"Server",
	"Labels.NAME",
}

// argument is the value of a name, and whether there is such a name.
func (v Values) argument(name, label string) (string, bool) {
	if (name == "Labels") != (label != "") {
		return "", false
	}
	switch name {
	case "MAC":
		return v.MAC, true
	case "DashedMAC":
		return v.DashedMAC(), true
	case "UUID":
		return v.UUID, true
	case "Serial":
		return v.Serial, true
	case "Asset":
		return v.Asset, true
	case "Addr":
		return v.Addr, true
	case "Host":
		return v.Host, true
	case "Profile":
		return v.Profile, true
	case "Server":
		return v.Server, true
	case "Labels":
		return v.Labels[label], true
	}
	return "", false
}

// CheckArgs says what is wrong with kernel arguments: a clause about them.
func CheckArgs(args string) error {
	if len(args) > 2048 {
		return fmt.Errorf("is longer than the 2048 bytes that kernels take")
	}
	for _, m := range argument.FindAllStringSubmatch(args, -1) {
		if _, ok := (Values{}).argument(m[1], m[2]); !ok {
			return fmt.Errorf("%q is not known; want one of {{.%s}}", m[0], strings.Join(arguments, "}}, {{."))
		}
	}
	if rest := argument.ReplaceAllString(args, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return fmt.Errorf("%q has braces that are no {{.NAME}}; want one of {{.%s}}", args,
			strings.Join(arguments, "}}, {{."))
	}
	return nil
}

// Expand puts the facts of one machine into kernel arguments that CheckArgs has passed. A value is one word, whatever
// it holds: blanks in it become underscores. What is not known is nothing.
func Expand(args string, v Values) string {
	return argument.ReplaceAllStringFunc(args, func(s string) string {
		m := argument.FindStringSubmatch(s)
		value, _ := v.argument(m[1], m[2])
		return strings.Map(func(r rune) rune {
			if r <= ' ' || r >= 0x7f || strings.ContainsRune("$\"'\\`;&|#<>", r) {
				return '_'
			}
			return r
		}, value)
	})
}
