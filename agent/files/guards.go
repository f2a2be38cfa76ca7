package files

import (
	"fmt"

	"pxeagent/agent/boot"
	"pxeagent/agent/ipxe"
)

// Road is one kind of machine's way to the menu, and what keeps it from going round in circles.
type Road struct {
	Machine string `json:"machine"` // BIOS, UEFI x64, UEFI ARM64, UEFI HTTP
	NBP     string `json:"nbp"`
	Own     string `json:"own,omitempty"` // path of the user's file of that name; "": built in
	// Before is what decides whether a machine comes to its NBP: universal, and url for UEFI HTTP boot.
	Before []Way `json:"before"`
	Ways   []Way `json:"ways"` // in the order in which they take effect
}

// Way is one of the layers against the loop, for one kind of machine, or what comes before them.
type Way struct {
	Name string `json:"way"` // dhcp, embed, autoexec, tftp, http; universal, url
	Used bool   `json:"used"`
	Why  string `json:"why"`
}

// Ends is the name of the way by which the loop ends first; "" where none does for certain. That a build looks for
// autoexec.ipxe is not certain.
func (r Road) Ends() string {
	for _, w := range r.Ways {
		if w.Used && w.Name != "autoexec" {
			return w.Name
		}
	}
	return ""
}

// Explain says by which ways each kind of machine is kept from looping, and why. tells is what the DHCP server can do: whether it sends
// iPXE something else than a ROM, and why (a clause). url is whether UEFI HTTP boot is sent a URL by it.
func (l *Library) Explain(tells, url Way) []Road {
	var roads []Road
	for _, r := range []struct {
		machine string
		proto   boot.Proto
		nbp     string
	}{
		{"BIOS", boot.TFTP, ipxe.Undionly},
		{"UEFI x64", boot.TFTP, ipxe.EFI64},
		{"UEFI ARM64", boot.TFTP, ipxe.EFIARM64},
		{"UEFI HTTP", boot.HTTP, ipxe.EFI64},
	} {
		road := Road{Machine: r.machine, NBP: r.nbp, Before: []Way{l.universalWay(r.proto, r.nbp)}}
		if r.proto == boot.HTTP {
			road.Before = append([]Way{url}, road.Before...)
		}
		if f, _, err := l.users(r.proto, r.nbp); err == nil {
			f.Close()
			road.Own = string(l.trees[r.proto]) + "/" + f.Name
		}
		// A script inside runs before DHCP is asked, and goes to the menu whatever that says.
		road.Ways = []Way{l.embedWay(r.proto, road), l.dhcpWay(tells)}
		if r.nbp != ipxe.Undionly {
			road.Ways = append(road.Ways, Way{"autoexec", true, "always there, for builds that look for " + ipxe.Autoexec + " before they ask DHCP"})
		}
		road.Ways = append(road.Ways, l.breakerWay(r.proto))
		roads = append(roads, road)
	}
	return roads
}

func (l *Library) leftOut() string { return "left out by chain: " + string(l.chain) }

// universalWay is what becomes of an asker that was told the one name that the DHCP server has for all.
func (l *Library) universalWay(proto boot.Proto, nbp string) Way {
	w := Way{Name: "universal", Used: l.universal}
	switch {
	case !l.universal:
		w.Why = "a machine is given the file that it asks for; the DHCP server has to name " + nbp
	case nbp == ipxe.Undionly:
		w.Why = "whichever of iPXE's names the DHCP server sends, a BIOS ROM, known by the form of its request, is given " + nbp
	case nbp == ipxe.EFIARM64:
		w.Used, w.Why = false, "UEFI on ARM64 asks exactly as on x64, so the DHCP server has to name "+nbp
	case proto == boot.HTTP:
		w.Why = "UEFI, known by its User-Agent, is given " + nbp + " where the URL names a BIOS file of iPXE's"
	default:
		w.Why = "UEFI, known by the form of its request, is given " + nbp + " where the DHCP server names undionly.kpxe or another BIOS file of iPXE's"
	}
	return w
}

func (l *Library) dhcpWay(tells Way) Way {
	w := Way{"dhcp", tells.Used, tells.Why}
	if tells.Used && !l.chain.TellsDHCP() {
		w.Used, w.Why = false, l.leftOut()
	}
	return w
}

func (l *Library) embedWay(proto boot.Proto, r Road) Way {
	w := Way{Name: "embed"}
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
	case r.NBP == ipxe.Undionly:
		w.Why = "the built-in one is compressed and has no room for a script; `pxeagent ipxe build` makes one that carries it"
	case !l.chain.Embeds():
		w.Why = l.leftOut()
	default:
		w.Used, w.Why = true, "written into the space left for a script as the file is served; leads to "+l.leads.Script
		if l.leads.TwoSteps() {
			w.Why += " by way of tftp://" + l.leads.NextServer.String() + "/" + ipxe.Autoexec + ", for that URL is too long for the space"
		}
	}
	return w
}

func (l *Library) breakerWay(proto boot.Proto) Way {
	w := Way{Name: string(proto), Used: l.chain.Breaks()}
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
