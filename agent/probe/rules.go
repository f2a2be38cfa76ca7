package probe

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// packet judges how an offer is made up.
func (j *judge) packet(o firmware.Offer) {
	if o.NoServerID {
		j.add(Wrong, CodeNoServerID, o.Server, o.Client,
			"the offer has no server identifier (option 54), and firmware ignores such offers",
			"the DHCP server is broken or not one; find what answers at that address")
	}
	if o.Overload != 0 {
		j.add(Note, CodeOverload, o.Server, o.Client,
			"options stand in the header's fields (option 52), which some ROMs do not read",
			"have the server send fewer options")
	}
}

// bootFile judges the name in an offer and the server to fetch it from.
func (j *judge) bootFile(o firmware.Offer) {
	name, _ := o.BootFile()
	if name == "" {
		return
	}
	bothSet := o.Option67 != "" && o.File != ""
	switch {
	case bothSet && o.Option67 != o.File:
		j.add(Warning, CodeBothDiffer, o.Server, o.Client,
			fmt.Sprintf("option 67 says %q and the header's file field %q: machines differ in which they take",
				o.Option67, o.File),
			"set only one of them at the DHCP server, or both to the same name")
	case o.File == "":
		j.add(Note, CodeOnly67, o.Server, o.Client,
			"the boot file is in option 67 only; a client that does not ask for option 67 sees none", "")
	case o.Option67 == "":
		j.add(Note, CodeOnlyFile, o.Server, o.Client, "the boot file is in the header's file field only", "")
	}
	followedByFF := o.End67 == firmware.End67Last || o.End67 == firmware.End67Byte
	if o.Option67 != "" && followedByFF {
		j.add(Note, CodeEnd67, o.Server, o.Client,
			"option 67 has no NUL and 0xFF follows it: some old ROMs take that for a part of the name and ask for it",
			"pxeagent's TFTP server takes such names; with another one, end the name with a NUL")
	}
	j.bootServer(o, name)
	j.bootFileName(o, name)
}

// bootServer judges the server that a boot file is to be fetched from.
func (j *judge) bootServer(o firmware.Offer, name string) {
	byTFTP := !strings.Contains(name, "://")
	otherByOption66 := o.Option66 != "" && o.Option66 != o.NextServer.String()
	if byTFTP && o.NextServer.IsUnspecified() {
		text := fmt.Sprintf("there is a boot file (%q) and no next-server (siaddr 0.0.0.0)", name)
		if o.Option66 != "" {
			text += fmt.Sprintf("; option 66 (%q) does not replace it: many ROMs then ask the DHCP server itself",
				o.Option66)
		}
		j.add(Wrong, CodeNoNextServer, o.Server, o.Client, text,
			"set next-server itself: pfSense \"Next Server\", dnsmasq the address in dhcp-boot, ISC dhcpd and Kea "+
				"next-server")
	} else if byTFTP && otherByOption66 {
		level := Note // a name may well be that of the same machine
		if _, err := netip.ParseAddr(o.Option66); err == nil {
			level = Warning
		}
		j.add(level, dhcp.FindingOption66, o.Server, o.Client,
			fmt.Sprintf("option 66 says %q and next-server %s: some clients prefer option 66",
				o.Option66, o.NextServer),
			"set option 66 to the same address, or not at all")
	}
	at, known := fetchedFrom(o, name)
	unreachable := known && Local(at)
	if unreachable && at != j.want.NextServer {
		j.add(Wrong, CodeLocal, o.Server, o.Client,
			fmt.Sprintf("the boot file %q is said to be at %s, a loopback or link-local address that no machine can "+
				"fetch it from", name, at),
			"set next-server, or the URL, to the boot server's address in this network")
	}
}

// bootFileName judges the name itself.
func (j *judge) bootFileName(o firmware.Offer, name string) {
	if len(name) > maxName {
		j.add(Wrong, CodeLong, o.Server, o.Client,
			fmt.Sprintf("the boot file's name has %d bytes; firmware takes %d",
				len(name), maxName), "use a shorter name")
	}
	if strings.ContainsFunc(name, strange) {
		level := Warning
		if strings.ContainsFunc(name, unicode.IsControl) {
			level = Wrong
		}
		j.add(level, CodeCharacters, o.Server, o.Client,
			fmt.Sprintf("the boot file's name %q has characters over which firmware and DHCP servers stumble", name),
			"use letters, digits and . _ - / only")
	}
}

// Local reports whether an address means something else on each machine, or several machines: loopback, link-local,
// multicast and unspecified ones. An offer or a script must not make this machine ask there.
func Local(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a == allOnes
}

// fetchedFrom is the address that a boot file is fetched from, as far as the offer itself says.
func fetchedFrom(o firmware.Offer, name string) (netip.Addr, bool) {
	if !strings.Contains(name, "://") {
		return o.NextServer, !o.NextServer.IsUnspecified() // bootFile has said that there is none
	}
	u, err := url.Parse(name)
	if err != nil {
		return netip.Addr{}, false
	}
	host := u.Hostname()
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	a, err := netip.ParseAddr(host)
	return a, err == nil
}

// strange reports whether a character does not belong into a boot file name or URL. A backslash does: Windows names its
// files so.
func strange(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`<>|", r) }

// http judges what concerns UEFI HTTP boot.
func (j *judge) http(o firmware.Offer) {
	name, _ := o.BootFile()
	back := strings.HasPrefix(o.Vendor, "HTTPClient")
	switch {
	case !o.Client.HTTP() && back:
		j.add(Warning, CodeHTTPVendor, o.Server, o.Client,
			"option 60 HTTPClient is sent to a PXE client: the iPXE that it loads calls itself HTTPClient then, and "+
				"is sent the file for UEFI HTTP boot",
			"send option 60 to clients of UEFI HTTP boot only (pfSense with ISC dhcpd cannot: leave UEFI HTTP boot "+
				"off there, or let pxeagent serve that URL)")
	case !o.Client.HTTP() || name == "":
	case !dhcp.IsURL(name) && back:
		j.add(Wrong, CodeNoURL, o.Server, o.Client,
			fmt.Sprintf("UEFI HTTP boot is sent %q, which is no http(s) URL", name), "set the whole URL, "+
				"http://SERVER/ipxe.efi")
	case !dhcp.IsURL(name):
		j.add(Note, CodeNoURL, o.Server, o.Client,
			fmt.Sprintf("UEFI HTTP boot is not set up: its clients are sent %q without option 60 HTTPClient, and "+
				"ignore it", name), "")
	case !back:
		j.add(Wrong, CodeNoHTTPVendor, o.Server, o.Client,
			"UEFI HTTP boot gets a URL and no option 60 HTTPClient, and firmware ignores such an offer",
			"have the server send option 60 HTTPClient to these clients (Kea: a client class; pfSense with Kea: "+
				"custom_kea_config)")
	}
}

// sameAsBIOS judges a name that the same server sends to a BIOS ROM as well.
func (j *judge) sameAsBIOS(o firmware.Offer) {
	name, _ := o.BootFile()
	byTFTP := name != "" && !dhcp.IsURL(name)
	biosGetsIt := slices.ContainsFunc(j.report.Of(firmware.ClientBIOS), func(b firmware.Offer) bool {
		bios, _ := b.BootFile()
		return b.Server == o.Server && bios == name
	})
	if o.Client == firmware.ClientBIOS || !byTFTP || !biosGetsIt {
		return
	}
	switch {
	case o.Client == firmware.ClientIPXE:
		j.add(Warning, CodeLoop, o.Server, o.Client,
			fmt.Sprintf("iPXE is sent %q like a ROM: it loads itself again and again unless its next request is "+
				"answered with a script", name),
			"serve with pxeagent, whose TFTP and HTTP servers break that loop, or have the DHCP server send the "+
				"script's URL to clients with option 175")
	case o.Client.HTTP() || j.want.Expect(o.Client) == name:
	default:
		rare := o.Client == firmware.ClientEFI32
		notWanted := j.want != (dhcp.Boot{}) // compare finds those that are
		level := Wrong
		if rare || notWanted {
			level = Warning
		}
		j.add(level, CodeArchIgnored, o.Server, o.Client,
			fmt.Sprintf("UEFI is sent the BIOS boot file %q, which it cannot run", name),
			"set a boot file for this architecture at the DHCP server (option 93)")
	}
}

// together judges all offers to one client.
func (j *judge) together(c firmware.Client, offers []firmware.Offer) {
	var leases, proxies []firmware.Offer
	for _, o := range offers {
		if o.Proxy {
			proxies = append(proxies, o)
		} else {
			leases = append(leases, o)
		}
	}
	named := slices.ContainsFunc(offers, hasFile)
	nothingWanted := j.want == (dhcp.Boot{})
	proxyIsSilent := !named && len(proxies) > 0 && !c.HTTP()
	switch {
	case len(offers) == 0:
		if nothingWanted {
			j.add(Wrong, dhcp.FindingNoOffer, netip.Addr{}, c,
				"no DHCP server answers this kind of client, though others are answered",
				"look for a class, pool or match at the DHCP server that leaves these clients out")
		}
		return
	case len(leases) == 0 && j.report.Server.IsValid():
		j.add(Note, CodeNoAddress, proxies[0].Server, c,
			"this server does proxyDHCP alone: it was not asked who leases addresses", "")
	case len(leases) == 0:
		j.add(Wrong, CodeNoAddress, proxies[0].Server, c,
			"only proxyDHCP answers, and no server leases addresses", "look whether the DHCP server of this network "+
				"runs")
	}
	if proxyIsSilent {
		j.add(Wrong, CodeProxySilent, proxies[0].Server, c,
			"proxyDHCP announces network boot and names no boot file, nor on port 4011",
			"set a boot file for this architecture (dnsmasq: pxe-service), and let UDP port 4011 through")
	} else if !named && nothingWanted {
		j.add(Note, dhcp.FindingNoFile, netip.Addr{}, c,
			"no boot file is offered", "run pxeagent configure for this network, or set a boot file at the DHCP server")
	}
	j.differ(c, leases)
	j.differ(c, slices.DeleteFunc(proxies, func(o firmware.Offer) bool { return !hasFile(o) }))
}

// differ finds servers that say different things to one client.
func (j *judge) differ(c firmware.Client, offers []firmware.Offer) {
	for i, o := range offers {
		for _, p := range offers[:i] {
			said, other := says(o), says(p)
			switch {
			case o.Server == p.Server || said == other:
			case hasFile(o) && hasFile(p):
				j.add(Wrong, CodeServersDiffer, netip.Addr{}, c,
					fmt.Sprintf("%s says %s and %s says %s: which one a machine follows is chance",
						p.Server, other, o.Server, said),
					"leave network boot to one of the two servers, or set both alike")
			default:
				j.add(Warning, CodeSecondServer, netip.Addr{}, c,
					fmt.Sprintf("%s says %s and %s says %s: a machine that takes the other offer does not boot",
						p.Server, other, o.Server, said),
					"find out whether both DHCP servers belong here")
			}
		}
	}
}

func hasFile(o firmware.Offer) bool { name, _ := o.BootFile(); return name != "" }

// says is what a machine gets out of an offer, in words.
func says(o firmware.Offer) string {
	name, _ := o.BootFile()
	switch {
	case name == "":
		return "no boot file"
	case dhcp.IsURL(name):
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%q at %s", name, o.NextServer)
}
