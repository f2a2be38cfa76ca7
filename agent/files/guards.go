package files

import (
	"fmt"

	"pxeagent/agent/boot"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
)

// LoopGuards are what keeps iPXE on one kind of machine from loading itself for ever.
type LoopGuards struct {
	Machine string `json:"machine"` // BIOS, UEFI x64, UEFI ARM64, UEFI HTTP
	NBP     string `json:"nbp"`
	Own     string `json:"own,omitempty"` // path of the user's file of that name; "": built in
	// Before is what decides whether a machine comes to its NBP: universal, and url for UEFI HTTP boot.
	Before []LoopGuard `json:"before"`
	Guards []LoopGuard `json:"ways"` // in the order in which they take effect
	arch   firmware.Arch
}

// Given is a boot file that some machines are given in place of the one that DHCP names.
type Given struct {
	Whose string // "host node-01"
	NBP   string
}

// LoopGuard is one of them, or what decides before them which NBP the machine gets.
type LoopGuard struct {
	Name string `json:"way"` // dhcp, embed, autoexec, tftp, http; universal, url
	Used bool   `json:"used"`
	Why  string `json:"why"`
}

// Ends is the name of the guard by which the loop ends first; "" where none does for certain. That a build looks for
// autoexec.ipxe is not certain.
func (r LoopGuards) Ends() string {
	for _, w := range r.Guards {
		if w.Used && w.Name != "autoexec" {
			return w.Name
		}
	}
	return ""
}

// Explain says which guards each kind of machine has, and why; those that are given a boot file of their own come last.
// tells is what the DHCP server can do: whether it sends iPXE something else than the firmware, and why (a clause). url
// is whether UEFI HTTP boot is sent a URL by it.
func (l *Library) Explain(tells, url LoopGuard, given ...Given) []LoopGuards {
	var all []LoopGuards
	for _, r := range []struct {
		machine string
		proto   boot.Proto
		arch    firmware.Arch
	}{
		{"BIOS", boot.TFTP, firmware.BIOS},
		{"UEFI x64", boot.TFTP, firmware.EFI64},
		{"UEFI ARM64", boot.TFTP, firmware.ARM64},
		{"UEFI IA32", boot.TFTP, firmware.EFI32},
		{"UEFI ARM", boot.TFTP, firmware.ARM32},
		{"UEFI HTTP", boot.HTTP, firmware.EFI64},
		{"UEFI HTTP ARM64", boot.HTTP, firmware.ARM64},
	} {
		g := LoopGuards{Machine: r.machine, NBP: l.bootFiles[r.arch], arch: r.arch}
		if g.NBP == "" {
			continue
		}
		g.Before = []LoopGuard{l.universalGuard(r.proto, g)}
		if r.proto == boot.HTTP {
			g.Before = append([]LoopGuard{url}, g.Before...)
		}
		all = append(all, l.guards(g, r.proto, tells))
	}
	for _, own := range given {
		g := LoopGuards{Machine: own.Whose, NBP: own.NBP}
		w := LoopGuard{Name: "nbp"}
		var err error
		if g.arch, err = l.ArchOf(own.NBP); err != nil {
			w.Why = err.Error()
		} else if w.Used = l.bootFiles[g.arch] != ""; w.Used {
			w.Why = "given where firmware asks for " + l.bootFiles[g.arch]
		} else {
			w.Why = "DHCP names no file to " + g.arch.String() + ": set boot.files." + g.arch.String()
		}
		g.Before = []LoopGuard{w}
		all = append(all, l.guards(g, boot.TFTP, tells))
	}
	return all
}

// guards fills in what is there for an NBP.
func (l *Library) guards(g LoopGuards, proto boot.Proto, tells LoopGuard) LoopGuards {
	for _, tree := range l.lookedIn(proto, g.NBP) {
		if f, _, err := l.users(tree, g.NBP); err == nil {
			f.Close()
			g.Own = string(l.trees[tree]) + "/" + f.Name
			break
		}
	}
	// A script inside runs before DHCP is asked, and goes to the menu whatever that says.
	g.Guards = []LoopGuard{l.embedGuard(proto, g), l.dhcpGuard(tells)}
	if g.arch != firmware.BIOS {
		g.Guards = append(g.Guards, LoopGuard{"autoexec", true,
			"always there, for builds that look for " + ipxe.Autoexec + " before they ask DHCP"})
	}
	g.Guards = append(g.Guards, l.breakerGuard(proto))
	return g
}

func (l *Library) leftOut() string { return "left out by chain: " + string(l.chain) }

// universalGuard is the guard for a client that was sent the one name that the DHCP server has for all.
func (l *Library) universalGuard(proto boot.Proto, g LoopGuards) LoopGuard {
	nbp := g.NBP
	w := LoopGuard{Name: "universal", Used: l.universal}
	switch {
	case !l.universal:
		w.Why = "a machine is given the file that it asks for; the DHCP server has to name " + nbp
	case g.arch == firmware.BIOS:
		w.Why = "whichever of iPXE's names the DHCP server sends, a BIOS ROM, " +
			"known by the form of its request, is given " + nbp
	case g.arch != firmware.EFI64:
		w.Used, w.Why = false, g.Machine+" asks exactly as UEFI x64, so the DHCP server has to name "+nbp
	case proto == boot.HTTP:
		w.Why = "UEFI, known by its User-Agent, is given " + nbp + " where the URL names a BIOS file of iPXE's"
	default:
		w.Why = "UEFI, known by the form of its request, is given " + nbp +
			" where the DHCP server names undionly.kpxe or another BIOS file of iPXE's"
	}
	return w
}

func (l *Library) dhcpGuard(tells LoopGuard) LoopGuard {
	w := LoopGuard{"dhcp", tells.Used, tells.Why}
	if tells.Used && !l.chain.TellsDHCP() {
		w.Used, w.Why = false, l.leftOut()
	}
	return w
}

func (l *Library) embedGuard(proto boot.Proto, r LoopGuards) LoopGuard {
	w := LoopGuard{Name: "embed"}
	switch {
	case r.Own != "":
		// Scripts are compressed in BIOS binaries and may be in EFI's, so the file itself does not tell.
		built, err := ipxe.ReadBuilt(r.Own)
		switch {
		case err != nil:
			w.Why = "your own file, served as it is; whether a script is in it cannot be seen"
		default:
			w.Used, w.Why = true, fmt.Sprintf("your own file, built with %s in it (%s)", built.Script, built.Source)
		}
	case l.builtin[r.NBP] == nil:
		w.Why = "there is no such file: put it below " + string(l.trees[boot.TFTP])
	case r.NBP == ipxe.Undionly:
		w.Why = "the built-in one is compressed and has no room for a script; `pxeagent ipxe build` makes one that carries it"
	case !l.chain.Embeds():
		w.Why = l.leftOut()
	default:
		w.Used, w.Why = true, "written into the space left for a script as the file is served; leads to "+l.leads.Script
		if l.leads.TwoSteps() {
			w.Why += " by way of tftp://" + l.leads.NextServer.String() + "/" + ipxe.Autoexec +
				", for that URL is too long for the space"
		}
	}
	return w
}

func (l *Library) breakerGuard(proto boot.Proto) LoopGuard {
	w := LoopGuard{Name: string(proto), Used: l.chain.Breaks()}
	switch {
	case !w.Used:
		w.Why = l.leftOut()
	case proto == boot.HTTP:
		w.Why = "iPXE is known by its User-Agent; where it asks for an NBP it is answered with the script"
	default:
		w.Why = "iPXE is known by the form of its request; where it asks for an NBP it is answered with the script"
	}
	if w.Used && len(l.except) > 0 {
		w.Why += fmt.Sprintf(", but not in %v", l.except)
	}
	return w
}
