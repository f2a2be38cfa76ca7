package dhcp

import (
	"fmt"
	"net/netip"
	"slices"

	"pxeagent/agent/firmware"
)

// Codes of findings. They are stable: JSON, metrics and documentation name them.
const (
	FindingNoOffer    = "no-offer"      // our server did not answer this client
	FindingNoFile     = "no-file"       // our server answers without a boot file
	FindingFile       = "file"          // our server names another boot file
	FindingNextServer = "next-server"   // our server names another next-server
	FindingStillBoots = "still-boots"   // boot information where none should be
	FindingPeer       = "peer"          // a failover partner of our server offers something else
	FindingForeign    = "foreign"       // another DHCP server leases addresses and says something else
	FindingProxy      = "foreign-proxy" // another proxyDHCP server says something else
	FindingOption66   = "option-66"     // option 66 names another server than siaddr: some clients prefer it
)

// Finding is one thing about one client's offers that is not as it should be.
type Finding struct {
	Code   string          `json:"code"`
	Client firmware.Client `json:"client"`
	Server netip.Addr      `json:"server,omitzero"` // whose offer; invalid for FindingNoOffer
	Want   string          `json:"want,omitempty"`
	Got    string          `json:"got,omitempty"`
	Text   string          `json:"text"` // one sentence; what came over the wire is quoted in it
}

// Verdict is what offers say about whether a boot configuration is in force.
type Verdict struct {
	Wrong   []Finding `json:"wrong,omitempty"`   // our server's offers that are missing or disagree
	Foreign []Finding `json:"foreign,omitempty"` // offers of failover partners and of other servers that mislead machines
	Notes   []Finding `json:"notes,omitempty"`   // worth knowing; nothing fails for them
	Own     int       `json:"own"`               // offers of our server
	Other   int       `json:"other"`             // offers of anybody else
}

// Agrees reports whether every client got the right answer from our server. Other servers may still mislead machines: see Foreign.
func (v Verdict) Agrees() bool { return len(v.Wrong) == 0 }

// Contradicts reports whether our server answered something wrong, other than by silence.
func (v Verdict) Contradicts() bool {
	return slices.ContainsFunc(v.Wrong, func(f Finding) bool { return f.Code != FindingNoOffer })
}

// ProbeClients are the clients whose answers tell whether want is in force: those for which it has a boot file.
// For the zero Boot they are all of them, since none may be sent one.
func ProbeClients(want Boot) []firmware.Client {
	if want == (Boot{}) {
		return firmware.Clients()
	}
	return slices.DeleteFunc(firmware.Clients(), func(c firmware.Client) bool { return want.Expect(c) == "" })
}

// Owns reports whether o came from the server that p is about. Where p does not know the server's
// addresses, every offer that is not a partner's is taken for its own. In a proxy network only offers without an address are.
func (p Plan) Owns(o firmware.Offer) bool {
	if p.Proxy && !o.Proxy {
		return false
	}
	if len(p.Own) == 0 {
		return !p.partner(o)
	}
	return slices.Contains(p.Own, o.Server) || slices.Contains(p.Own, o.From)
}

func (p Plan) partner(o firmware.Offer) bool {
	return slices.Contains(p.Peers, o.Server) || slices.Contains(p.Peers, o.From)
}

// Verify compares offers with want. p says which of them are our server's own. Offers to clients about which want says nothing are
// not judged. It looks at every offer, so that a second server that wins every other race is found.
func Verify(want Boot, p Plan, offers []firmware.Offer) Verdict {
	var v Verdict
	for _, o := range offers {
		if p.Owns(o) {
			v.Own++
		} else {
			v.Other++
		}
	}
	for _, c := range ProbeClients(want) {
		if want == (Boot{}) {
			v.silent(c, p, offers)
		} else {
			v.client(c, want, p, offers)
		}
	}
	if want == (Boot{}) && v.Own == 0 && !p.Proxy {
		// A server that leases here must still do so; a proxy that was turned off has nothing left to say.
		v.Wrong = append(v.Wrong, Finding{Code: FindingNoOffer, Client: firmware.ClientBIOS, Text: "the DHCP server makes no offer"})
	}
	return v
}

// client judges the offers to one client for which want has a boot file.
func (v *Verdict) client(c firmware.Client, want Boot, p Plan, offers []firmware.Offer) {
	own, named := false, false
	var announced []firmware.Offer
	for _, o := range offers {
		if o.Client != c {
			continue
		}
		wrong := compare(want, o)
		if !p.Owns(o) {
			v.foreign(p, o, wrong)
			continue
		}
		own = true
		if name, _ := o.BootFile(); name == "" && o.Proxy {
			// A proxyDHCP server may only announce itself here and name the file on port 4011.
			announced = append(announced, o)
			continue
		}
		named = true
		v.Wrong = append(v.Wrong, wrong...)
		if o.Option66 != "" && o.Option66 != addrText(o.NextServer) && !IsURL(want.Expect(c)) {
			v.Notes = append(v.Notes, finding(FindingOption66, o, addrText(o.NextServer), o.Option66,
				"option 66 says %q where next-server is %s, and some clients prefer option 66", o.Option66, orUnset(o.NextServer)))
		}
	}
	switch {
	case !own:
		v.Wrong = append(v.Wrong, Finding{Code: FindingNoOffer, Client: c, Want: want.Expect(c),
			Text: c.String() + ": the DHCP server makes no offer"})
	case !named:
		v.Wrong = append(v.Wrong, compare(want, announced[0])...)
	}
}

// silent judges our server's offers to one client that should be told nothing.
func (v *Verdict) silent(c firmware.Client, p Plan, offers []firmware.Offer) {
	for _, o := range offers {
		if o.Client != c || !p.Owns(o) {
			continue
		}
		if name, where := o.BootFile(); name != "" {
			v.Wrong = append(v.Wrong, finding(FindingStillBoots, o, "", name, "%s still says %q", where, name))
		} else if o.Option66 != "" {
			v.Wrong = append(v.Wrong, finding(FindingStillBoots, o, "", o.Option66, "option 66 still says %q", o.Option66))
		} else if o.NextServer.IsValid() && !o.NextServer.IsUnspecified() && o.NextServer != o.Server && o.NextServer != o.From {
			// Several servers name themselves in siaddr whenever they have nothing else to put there.
			v.Wrong = append(v.Wrong, finding(FindingStillBoots, o, "", o.NextServer.String(), "next-server is still %s", o.NextServer))
		}
	}
}

// foreign judges an offer of another server; wrong is in what it differs.
func (v *Verdict) foreign(p Plan, o firmware.Offer, wrong []Finding) {
	if len(wrong) == 0 {
		return
	}
	name, _ := o.BootFile()
	code, who := FindingForeign, "another DHCP server"
	switch {
	case p.partner(o):
		code, who = FindingPeer, "the failover partner"
	case o.Proxy:
		code, who = FindingProxy, "another proxyDHCP server"
	case p.Proxy && name == "":
		return // it leases the addresses, as it should
	}
	w := wrong[0]
	says, want := fmt.Sprintf("boot file %q", w.Got), fmt.Sprintf("%q", w.Want)
	switch w.Code {
	case FindingNoFile:
		says = "no boot file"
	case FindingNextServer:
		says, want = "next-server "+orUnset(o.NextServer), w.Want
	}
	v.Foreign = append(v.Foreign, finding(code, o, w.Want, w.Got, "%s offers %s, want %s", who, says, want))
}

// compare lists in what o differs from what want has for its client.
func compare(want Boot, o firmware.Offer) []Finding {
	expect := want.Expect(o.Client)
	name, where := o.BootFile()
	var wrong []Finding
	switch {
	case name == "":
		return []Finding{finding(FindingNoFile, o, expect, "", "no boot file, want %q", expect)}
	case name != expect:
		wrong = append(wrong, finding(FindingFile, o, expect, name, "%s says %q, want %q", where, name, expect))
	}
	// A URL names its server itself; siaddr is only asked for files by TFTP.
	if !IsURL(expect) && o.NextServer != want.NextServer {
		got := addrText(o.NextServer)
		wrong = append(wrong, finding(FindingNextServer, o, addrText(want.NextServer), got,
			"next-server is %s, want %s", orUnset(o.NextServer), orUnset(want.NextServer)))
	}
	return wrong
}

func finding(code string, o firmware.Offer, want, got, format string, args ...any) Finding {
	server := o.Server
	if !server.IsValid() {
		server = o.From
	}
	return Finding{Code: code, Client: o.Client, Server: server, Want: want, Got: got,
		Text: fmt.Sprintf("%s from %s: ", o.Client, addrText(server)) + fmt.Sprintf(format, args...)}
}

func orUnset(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return "not set"
	}
	return a.String()
}
