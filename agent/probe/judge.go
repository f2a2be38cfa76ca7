package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Judge says what is wrong with the offers in r, the worst first. want is what they should say; with the zero Boot only
// what is wrong for any network is found. Whose offer is whose is not known here: every server's must be right.
func Judge(want dhcp.Boot, r Report) []Finding {
	j := judge{want: want, report: r, proven: map[firmware.Client]bool{}, settled: map[firmware.Client]bool{}}
	if j.meant = dhcp.ProbeClients(want); want == (dhcp.Boot{}) {
		j.meant = firmware.Meant(r.Leading())
	}
	if len(r.Offers) == 0 {
		for _, a := range r.Asked {
			j.add(Wrong, dhcp.FindingNoOffer, netip.Addr{}, a.Client, "no DHCP server answers",
				"look whether a DHCP server runs and serves this network, whether a switch or firewall drops DHCP, and whether "+
					"the server's pool is used up")
		}
		return j.findings
	}
	for _, a := range r.Asked {
		offers := slices.DeleteFunc(r.Of(a.Client), func(o firmware.Offer) bool { return o.Silent })
		j.compare(a.Client)
		for _, o := range offers {
			j.packet(o)
			j.bootFile(o)
			j.http(o)
			j.sameAsBIOS(o)
		}
		j.together(a.Client, offers)
	}
	slices.SortStableFunc(j.findings, func(a, b Finding) int { return a.Level.rank() - b.Level.rank() })
	return j.findings
}

// judge collects findings.
type judge struct {
	want   dhcp.Boot
	report Report
	proven map[firmware.Client]bool // fetches what it should, whatever else is odd about the offers
	// Where nothing is desired, settled are the clients that are led to a file in whatever order their offers come. meant
	// are those that are to boot: whatever others are sent, nothing fails for it.
	settled  map[firmware.Client]bool
	meant    []firmware.Client
	findings []Finding
}

// explained are findings that matter only as far as they lead a client astray, which the model of the client knows.
var explained = []string{
	CodeNoServerID, CodeNoNextServer, CodeServersDiffer, CodeSecondServer, CodeProxySilent, CodeNoHTTPVendor,
	CodeBothDiffer,
}

// leading are those of them that are about where a client is led.
var leading = []string{CodeNoServerID, CodeNoNextServer, CodeServersDiffer, CodeProxySilent}

// add adds a finding, or the client to the finding that says the same of the same server.
func (j *judge) add(level Level, code string, server netip.Addr, c firmware.Client, text, remedy string) {
	switch {
	case j.proven[c] && slices.Contains(explained, code),
		j.settled[c] && level == Wrong && slices.Contains(leading, code),
		level == Wrong && !slices.Contains(j.meant, c):
		level = Note
	}
	for i := range j.findings {
		f := &j.findings[i]
		if f.Code == code && f.Level == level && f.Server == server && f.Text == text {
			if !slices.Contains(f.Clients, c) {
				f.Clients = append(f.Clients, c)
			}
			return
		}
	}
	j.findings = append(j.findings, Finding{Code: code, Level: level, Clients: []firmware.Client{c}, Server: server,
		Text: text, Remedy: remedy})
}

// compare takes over what package dhcp finds of where the offers lead c.
func (j *judge) compare(c firmware.Client) {
	offers := slices.DeleteFunc(j.report.Leading(), func(o firmware.Offer) bool { return o.Client != c })
	if j.want.Expect(c) == "" {
		if j.want == (dhcp.Boot{}) {
			url, settled := dhcp.Settled(c, offers)
			j.settled[c] = url != "" && settled
		}
		j.leads(c, offers)
		return
	}
	v := dhcp.Verify(j.want, dhcp.Plan{Proxy: proxied(offers)}, offers)
	ofClient := func(findings []dhcp.Finding) []dhcp.Finding {
		return slices.DeleteFunc(slices.Clone(findings), func(f dhcp.Finding) bool { return f.Client != c })
	}
	wrong := ofClient(slices.Concat(v.Wrong, v.Foreign))
	j.proven[c] = len(wrong) == 0
	for _, f := range wrong {
		j.differs(c, f)
	}
	for _, f := range ofClient(v.Notes) {
		switch f.Code {
		case dhcp.FindingDoubt:
			_, text, _ := strings.Cut(f.Text, ": ")
			j.add(Note, f.Code, f.Server, c, text, "")
		case dhcp.FindingFile, dhcp.FindingNextServer:
			_, text, _ := strings.Cut(f.Text, ": ")
			j.add(Note, f.Code, f.Server, c, text+"; this client does not go by it", "")
		}
	}
}

// differs adds a finding of package dhcp.
func (j *judge) differs(c firmware.Client, f dhcp.Finding) {
	var text, remedy string
	switch f.Code {
	case dhcp.FindingNoOffer:
		text = fmt.Sprintf("no offer from a server that should name %q", f.Want)
		remedy = "look whether the DHCP server runs, serves this network and has free addresses"
	case dhcp.FindingNoFile:
		text = fmt.Sprintf("no boot file, want %q", f.Want)
		remedy = "run pxeagent configure for this network, or set the boot file at the DHCP server"
	case dhcp.FindingFile:
		text = fmt.Sprintf("the boot file is %q, want %q", f.Got, f.Want)
		remedy = overridden
	case dhcp.FindingNextServer:
		if f.Got == "" || f.Got == "0.0.0.0" {
			return // bootFile says more
		}
		text = fmt.Sprintf("next-server is %s, want %s", f.Got, f.Want)
		remedy = overridden
	case dhcp.FindingNothing, dhcp.FindingElsewhere:
		_, text, _ = strings.Cut(f.Text, ": ")
		remedy = elsewhere
	default:
		_, text, _ = strings.Cut(f.Text, ": ")
		remedy = "switch network boot off at that server, or the server on this network"
	}
	j.add(Wrong, f.Code, f.Server, c, text, remedy)
}

// leads says where c is led where nothing particular is desired: that a boot file is named which it does not fetch.
func (j *judge) leads(c firmware.Client, offers []firmware.Offer) {
	p := dhcp.Paths(j.want, []firmware.Client{c}, offers)[0]
	named := slices.ContainsFunc(offers, hasFile)
	if p.URL != "" || len(offers) == 0 || c.HTTP() {
		return // http says what is wrong with offers for UEFI HTTP boot
	}
	text := p.Reason
	if p.Screen != "" {
		text += " (" + p.Screen + ")"
	}
	pxe := slices.ContainsFunc(offers, func(o firmware.Offer) bool {
		return o.Options != nil && strings.HasPrefix(o.Vendor, "PXEClient")
	})
	switch {
	case named && j.want == (dhcp.Boot{}):
		j.add(Wrong, dhcp.FindingNothing, netip.Addr{}, c, text, elsewhere)
	case pxe:
		j.add(Note, dhcp.FindingNothing, netip.Addr{}, c, text, "")
	}
}

const elsewhere = "take the boot menu, PXEClient (option 60) or the route that is missing out of the way at the DHCP " +
	"server: " +
	"the boot file alone does not decide"

const overridden = "run pxeagent configure; if it finds nothing to do, a host or pool entry at the DHCP server " +
	"overrides the network's settings"

// proxied reports whether one server leases an address and another, by proxyDHCP, adds the boot information.
func proxied(offers []firmware.Offer) bool {
	return slices.ContainsFunc(offers, func(o firmware.Offer) bool { return o.Proxy }) &&
		!slices.ContainsFunc(offers, func(o firmware.Offer) bool { return !o.Proxy && hasFile(o) })
}
