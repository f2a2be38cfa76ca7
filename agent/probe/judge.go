package probe

import (
	"fmt"
	"net/netip"
	"slices"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Judge says what is wrong with the offers in r, the worst first. want is what they should say; with the zero Boot only what is wrong
// for any network is found. Whose offer is whose is not known here: every server's must be right.
func Judge(want dhcp.Boot, r Report) []Finding {
	j := judge{want: want, report: r}
	if len(r.Offers) == 0 {
		for _, a := range r.Asked {
			j.add(Wrong, dhcp.FindingNoOffer, netip.Addr{}, a.Client, "no DHCP server answers",
				"look whether a DHCP server runs and serves this network, whether a switch or firewall drops DHCP, and whether the server's pool is used up")
		}
		return j.findings
	}
	for _, a := range r.Asked {
		offers := r.Of(a.Client)
		j.compare(a.Client, offers)
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
	want     dhcp.Boot
	report   Report
	findings []Finding
}

// add adds a finding, or the client to the finding that says the same of the same server.
func (j *judge) add(level Level, code string, server netip.Addr, c firmware.Client, text, remedy string) {
	for i := range j.findings {
		f := &j.findings[i]
		if f.Code == code && f.Level == level && f.Server == server && f.Text == text {
			if !slices.Contains(f.Clients, c) {
				f.Clients = append(f.Clients, c)
			}
			return
		}
	}
	j.findings = append(j.findings, Finding{Code: code, Level: level, Clients: []firmware.Client{c}, Server: server, Text: text, Remedy: remedy})
}

// compare takes over what package dhcp finds to differ from what is wanted of the offers to c.
func (j *judge) compare(c firmware.Client, offers []Offer) {
	if j.want == (dhcp.Boot{}) {
		return
	}
	v := dhcp.Verify(j.want, dhcp.Plan{Proxy: proxied(offers)}, Report{Offers: offers}.Plain())
	for _, f := range slices.Concat(v.Wrong, v.Foreign) {
		if f.Client != c {
			continue // not asked about here
		}
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
				continue // bootFile says more
			}
			text = fmt.Sprintf("next-server is %s, want %s", f.Got, f.Want)
			remedy = overridden
		default:
			text = fmt.Sprintf("another DHCP server says %q, want %q", f.Got, f.Want)
			remedy = "switch network boot off at that server, or the server on this network"
		}
		j.add(Wrong, f.Code, f.Server, c, text, remedy)
	}
}

const overridden = "run pxeagent configure; if it finds nothing to do, a host or pool entry at the DHCP server overrides the network's settings"

// proxied reports whether one server leases an address and another, by proxyDHCP, adds the boot information.
func proxied(offers []Offer) bool {
	return slices.ContainsFunc(offers, func(o Offer) bool { return o.Proxy }) &&
		!slices.ContainsFunc(offers, func(o Offer) bool { return !o.Proxy && hasFile(o) })
}
