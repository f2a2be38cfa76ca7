package dnsmasq

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// judge finds the lines of a configuration with which machines would not boot what the rules name.
type judge struct {
	tagger // its lines are all but those of the rules
	dropIn
	before  int // how many of the lines are read before the rules
	unread  bool
	clients []firmware.Client // that the rules cover
	menus   bool              // a line fills option 43 otherwise than by its value
	own     string            // what the rules are read from
	// first says how a line can be made to be read before the rules; "": it cannot.
	first string
	// modeKey is the key that chooses the mode; "": there is one mode only.
	modeKey string
}

func (s *Server) judge(t tree, n network, d dropIn) judge {
	j := newJudge(slices.DeleteFunc(slices.Clone(t.lines), func(l directive) bool { return l.file == s.file }),
		s.cfg.Interface, n, d, s.cfg.ProbeMAC)
	j.before, j.unread, j.modeKey = max(t.own, 0), len(t.unread) > 0, "dhcp.dnsmasq.mode"
	j.own = filepath.Base(s.file)
	j.first = "move it to a file that is read before, such as " + filepath.Join(filepath.Dir(s.file), "00-site.conf")
	return j
}

func newJudge(lines []directive, iface string, n network, d dropIn, mac net.HardwareAddr) judge {
	return judge{
		tagger: tagger{lines: lines, iface: iface, n: n, known: knows(lines, mac), mac: mac},
		dropIn: d, clients: dhcp.ProbeClients(d.boot), menus: slices.ContainsFunc(lines, fills43),
	}
}

// defeats is the refusal for a line that certainly keeps machines from booting; later: it is read after the drop-in.
func (j judge) defeats(d directive, later bool) (dhcp.Problem, bool) {
	tags, rest := d.tags()
	switch {
	case d.broken || len(rest) == 0 && d.name != "dhcp-ignore":
		return dhcp.Problem{}, false
	case d.name == "dhcp-boot" && later && len(tags) > 0:
		return j.overridden(d, tags, rest)
	case d.name == "dhcp-ignore":
		return j.ignored(d, tags)
	case d.name == "pxe-service":
		return j.menu(d, j.covered(tags, func(c firmware.Client) bool {
			return !c.HTTP() && serviceArch(rest[0]) == int(c.Option93())
		}))
	case d.name == "pxe-prompt" && j.mode == ModeProxy:
		return j.menu(d, j.covered(tags, func(c firmware.Client) bool { return c == firmware.ClientBIOS }))
	case (d.name == "dhcp-option" || d.name == "dhcp-option-force") && j.mode == ModeServer:
		return j.option(d, tags, rest)
	}
	return dhcp.Problem{}, false
}

// covered are the clients all of whose machines meet the conditions, of those that also are so.
func (j judge) covered(conditions []string, so func(firmware.Client) bool) []firmware.Client {
	return slices.DeleteFunc(slices.Clone(j.clients), func(c firmware.Client) bool {
		return !so(c) || j.meets(conditions, c) != always
	})
}

// overridden: of the dhcp-boot lines whose tags a machine has, Dnsmasq takes the one that it read last.
func (j judge) overridden(d directive, tags, rest []string) (dhcp.Problem, bool) {
	who := j.covered(tags, func(c firmware.Client) bool {
		if j.mode == ModeProxy && c.Arch() != firmware.BIOS && !c.HTTP() {
			return false // UEFI is sent what the pxe-service lines say
		}
		want := j.boot.Expect(c)
		same := rest[0] == want && (dhcp.IsURL(want) || len(rest) > 2 && rest[2] == j.boot.NextServer.String())
		return !same
	})
	if len(who) == 0 {
		return dhcp.Problem{}, false
	}
	return dhcp.Refusal("overridden", "%s is read after %s and wins for %s: remove it, or %s", d.where(),
		j.own, names(who), cmp.Or(j.first, "limit it to other machines by a tag")), true
}

// ignored: machines that are never answered boot nothing.
func (j judge) ignored(d directive, tags []string) (dhcp.Problem, bool) {
	who := j.covered(tags, func(firmware.Client) bool { return true })
	switch {
	case len(who) == 0:
		return dhcp.Problem{}, false
	case slices.Contains(tags, "!known"):
		return j.onlyKnown(d), true
	}
	return dhcp.Refusal("ignores-clients",
		"%s: Dnsmasq never answers %s; remove it, or limit it to other machines by a tag", d.where(), names(who)), true
}

// silence is the line for which Dnsmasq may make the probe no offer; "" if it should.
func (j judge) silence() string {
	leases, _ := rangesOf(j.lines, j.iface, j.n)
	if len(leases) > 0 && leasesToKnown(leases) && j.known == some {
		return "only known machines get addresses: " + leases[0].where()
	}
	for _, d := range j.lines {
		if tags, _ := d.tags(); d.name == "dhcp-ignore" && j.meets(tags, firmware.ClientBIOS) == some {
			return "machines that match are never answered: " + d.where()
		}
	}
	return ""
}

// leasesToKnown reports whether all of the ranges are for machines that a dhcp-host line names.
func leasesToKnown(leases []ipv4Range) bool {
	return !slices.ContainsFunc(leases, func(r ipv4Range) bool {
		return !r.static && !slices.Contains(r.tags, "known")
	})
}

func (j judge) onlyKnown(d directive) dhcp.Problem {
	return dhcp.Refusal("only-known",
		"only known machines get addresses: %s; set probe.mac (--probe-mac) to the MAC address of one that a dhcp-host "+
			"line names, so that the offers can be verified", d.where())
}

// menu: as a server Dnsmasq sends a machine with a matching pxe-service line to that line's file, to the local disk or
// to port 4011, whatever dhcp-boot says. As a proxy it puts all matching lines into one menu, and adds each prompt.
func (j judge) menu(d directive, who []firmware.Client) (dhcp.Problem, bool) {
	if len(who) == 0 {
		return dhcp.Problem{}, false
	}
	return dhcp.Refusal("boot-menu",
		"%s: %s would follow that boot menu and not pxeagent's boot files; remove it, or limit it to other machines by a tag",
		d.where(), names(who)), true
}

// option finds what makes UEFI firmware ask port 4011, where Dnsmasq as a server does not answer, or boot from the
// local disk: option 60 PXEClient without option 43, and in it discovery control (PXE 2.1, sub-option 6) without bit 8,
// which says that the boot file named is to be used.
func (j judge) option(d directive, tags, rest []string) (dhcp.Problem, bool) {
	name, value := strings.TrimPrefix(rest[0], "option:"), ""
	if len(rest) > 1 {
		value = rest[1]
	}
	vendor, encapsulated := strings.CutPrefix(name, "vendor:")
	bad := func(c firmware.Client) bool {
		if c.HTTP() || c.Arch() == firmware.BIOS {
			return false
		}
		if encapsulated {
			return value == "6" && len(rest) > 2 && strings.Contains(askedBy(c).vendor, vendor) && !usesFile(rest[2])
		}
		return (name == "60" || name == "vendor-class") && strings.HasPrefix(value, "PXEClient") && !j.menus &&
			len(j.sent(c, "43", "vendor-encap")) == 0
	}
	switch name {
	case "67", "bootfile-name":
		return j.glued(d, tags, value)
	case "43", "vendor-encap":
		return j.raw43(d)
	}
	who := j.covered(tags, bad)
	if len(who) == 0 {
		return dhcp.Problem{}, false
	}
	return dhcp.Refusal("boot-menu",
		"%s: with it %s would look for a boot server and not fetch pxeagent's boot files; remove it",
		d.where(), names(who)), true
}

// glued: Dnsmasq puts the boot file of its own and that of a line into one option 67, one after the other.
func (j judge) glued(d directive, tags []string, value string) (dhcp.Problem, bool) {
	who := j.covered(tags, func(c firmware.Client) bool { return j.boot.Expect(c) != "" })
	if len(who) == 0 {
		return dhcp.Problem{}, false
	}
	return dhcp.Refusal("second-boot-file",
		"%s: %s would be sent its boot file and pxeagent's in one option 67, as %q; remove it, or limit it to other "+
			"machines by a tag", d.where(), names(who), j.boot.Expect(who[0])+"\x00"+value), true
}

// usesFile reports bit 8 of a discovery control as a line has it: 8, 8b, 0x08.
func usesFile(value string) bool {
	var n uint8
	if _, err := fmt.Sscanf(strings.TrimSuffix(value, "b"), "%v", &n); err != nil {
		return true // not understood, so nothing is said of it
	}
	return n&8 != 0
}

// services are the architectures as pxe-service names them, by their number (option 93).
var services = []string{"x86PC", "PC98", "IA64_EFI", "Alpha", "Arc_x86", "Intel_Lean_Client", "IA32_EFI", "x86-64_EFI",
	"Xscale_EFI", "BC_EFI", "ARM32_EFI", "ARM64_EFI"}

// serviceArch is the architecture of a pxe-service line; -1 where it is none.
func serviceArch(field string) int {
	var n int
	if _, err := fmt.Sscanf(field, "%d", &n); err == nil {
		return n
	}
	return slices.IndexFunc(services, func(s string) bool { return strings.EqualFold(s, field) })
}

func names(clients []firmware.Client) string {
	texts := make([]string, len(clients))
	for i, c := range clients {
		texts[i] = c.String()
	}
	return strings.Join(texts, ", ")
}
