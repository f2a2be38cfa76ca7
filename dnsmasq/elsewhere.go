package dnsmasq

import (
	"net"
	"net/netip"

	"pxeagent/agent/dhcp"
)

// Elsewhere is a Dnsmasq on another machine, as far as its configuration is known: what an appliance's pages hold is
// given as the lines that it makes of them.
type Elsewhere struct {
	Lines  []Line // all but those of pxeagent, in the order in which Dnsmasq reads them
	Before int    // how many of Lines are read before pxeagent's
	Unread bool   // there is more, which is not known
	// Tag is that of requests on the network: its device's name, or what stands for it in Lines. Others are those of the
	// other networks.
	Tag    string
	Others []string
	// Addresses are Dnsmasq's own on the network, at least one, each with the network's mask.
	Addresses []netip.Prefix
	Mode      Mode   // "": ModeServer
	ModeKey   string // configuration key of the mode; "": there is only one
	// ProbeMAC is the address that the change will be verified as. nil: one that Dnsmasq does not know.
	ProbeMAC net.HardwareAddr
}

// Line is one line of a configuration.
type Line struct {
	Text  string // in Dnsmasq's words: "dhcp-boot=tag:lan,pxelinux.0"
	Where string // where a person finds it: "DHCP options, \"WLAN\""
}

// Problems are what a plan for want must say of the rest of the configuration, with the codes of Server.Plan: what the
// Dnsmasq of this machine refuses is refused there as well. silence is for Plan.Silence.
func (e Elsewhere) Problems(want dhcp.Boot) (list []dhcp.Problem, silence string) {
	j := e.judge(want)
	return j.problems(), j.silence()
}

func (e Elsewhere) judge(want dhcp.Boot) judge {
	n := network{addrs: e.Addresses, others: e.Others}
	d := dropIn{boot: want, mode: e.Mode}
	if d.mode == "" {
		d.mode = ModeServer
	}
	if d.mode == ModeProxy {
		d.nets = n.nets()
	}
	var lines []directive
	for _, l := range e.Lines {
		line := parseLine(l.Text)
		line.file = l.Where
		lines = append(lines, line)
	}
	j := newJudge(lines, e.Tag, n, d, e.ProbeMAC)
	j.before, j.unread, j.modeKey, j.own = e.Before, e.Unread, e.ModeKey, "what pxeagent writes"
	return j
}

// CheckBoot lists what of want a line of Dnsmasq cannot say, or would reach nobody in networks.
func CheckBoot(want dhcp.Boot, mode Mode, networks ...netip.Prefix) []dhcp.Problem {
	return checkBoot(want, mode, networks...)
}

// Text is the drop-in for want on the networks of device, as lines with their ends: what a Dnsmasq needs that can be
// given any line. ParseText reads it.
func Text(device string, want dhcp.Boot, mode Mode, networks []netip.Addr) []byte {
	return dropIn{boot: want, mode: mode, nets: networks}.render(device)
}

// ParseText is what a Text says, as far as it can be read: somebody may have edited it. edited says how it differs from
// what pxeagent writes; "" if it does not.
func ParseText(device string, text []byte) (b dhcp.Boot, mode Mode, edited string) {
	p := parseDropIn(text, device)
	return p.boot, p.mode, p.edited(text, device)
}
