package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/firmware"
)

// Codes of findings. They are stable: JSON, metrics and documentation name them.
const (
	FindingNoOffer    = "no-offer"        // our server did not answer this client
	FindingNoFile     = "no-file"         // our server answers without a boot file
	FindingFile       = "file"            // our server names another boot file
	FindingNextServer = "next-server"     // our server names another next-server
	FindingStillBoots = "still-boots"     // boot information where none should be
	FindingPeer       = "peer"            // a failover partner of our server offers something else
	FindingForeign    = "foreign"         // another DHCP server leases addresses and says something else
	FindingProxy      = "foreign-proxy"   // another proxyDHCP server says something else
	FindingOption66   = "option-66"       // option 66 names another server than siaddr: some clients prefer it
	FindingNothing    = "boots-nothing"   // a client fetches nothing, whatever is named: a boot menu, no route, port 4011
	FindingElsewhere  = "boots-elsewhere" // a client fetches something that the fields do not tell of
	FindingDoubt      = "doubt"           // machines of this kind differ
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

// Path is what one kind of client does with all the offers that it got, and with the answers of boot servers.
type Path struct {
	Client firmware.Client `json:"client"`
	URL    string          `json:"url"`              // what it fetches first; empty: nothing
	Want   string          `json:"want,omitempty"`   // what it should fetch; empty: not said
	Reason string          `json:"reason"`           // why, in one sentence
	Screen string          `json:"screen,omitempty"` // the error that it shows, such as "PXE-E16"
	Doubt  string          `json:"doubt,omitempty"`  // why others of its kind may do something else
}

// Paths is where offers lead the clients.
func Paths(want Boot, clients []firmware.Client, offers []firmware.Offer) []Path {
	paths := make([]Path, len(clients))
	for i, c := range clients {
		d := firmware.Decide(c, offers)
		paths[i] = Path{Client: c, URL: d.URL, Want: want.FirstFile(c), Reason: reason(d), Screen: d.Screen, Doubt: d.Doubt}
	}
	return paths
}

// reason is d's, with what is left open.
func reason(d firmware.Decision) string {
	if len(d.Ask) > 0 {
		return fmt.Sprintf("%s, which was not asked (%s)", d.Reason, d.Ask[0].To)
	}
	return d.Reason
}

// Why is the reason, what the machine shows, and what is doubtful about it, on one line.
func (p Path) Why() string {
	text := p.Reason
	if p.Screen != "" {
		text += " (" + p.Screen + ")"
	}
	if p.Doubt != "" {
		text += "; " + p.Doubt
	}
	return text
}

// Right reports whether the client fetches what it should.
func (p Path) Right() bool { return p.Want != "" && sameFile(p.URL, p.Want) }

// sameFile compares what a client fetches with what it should. pxeagent's TFTP server takes names to which old firmware
// has added the byte that ends the options.
func sameFile(url, want string) bool { return strings.TrimSuffix(url, "\xff") == want }

// Verdict is what offers say about whether a boot configuration is in force.
type Verdict struct {
	Clients []Path    `json:"clients,omitempty"` // where all offers together lead each client
	Wrong   []Finding `json:"wrong,omitempty"`   // our server's offers that are missing or disagree
	Foreign []Finding `json:"foreign,omitempty"` // offers of failover partners and of other servers that mislead machines
	Notes   []Finding `json:"notes,omitempty"`   // worth knowing; nothing fails for them
	Own     int       `json:"own"`               // offers of our server
	Other   int       `json:"other"`             // offers of anybody else
}

// Agrees reports whether every client got the right answer from our server. Other servers may still mislead machines:
// see Foreign.
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

// Owns reports whether o came from the server that p is about. Where p does not know the server's addresses, every
// offer that is not a partner's is taken for its own. In a proxy network only offers without an address are.
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

// Verify says where offers lead each client, and whether that is where want has it. p says which offers are our
// server's own. Offers to clients about which want says nothing are not judged. Each offer may come first or last, so
// that a second server that wins every other race is found.
func Verify(want Boot, p Plan, offers []firmware.Offer) Verdict {
	var v Verdict
	for _, o := range offers {
		switch {
		case o.Silent:
		case p.Owns(o):
			v.Own++
		default:
			v.Other++
		}
	}
	clients := ProbeClients(want)
	v.Clients = Paths(want, clients, offers)
	for i, c := range clients {
		if want == (Boot{}) {
			v.silent(c, p, offers)
			continue
		}
		v.client(want, p, of(c, offers), v.Clients[i])
	}
	if want == (Boot{}) && v.Own == 0 && !p.Proxy {
		// A server that leases here must still do so; a proxy that was turned off has nothing left to say.
		v.Wrong = append(v.Wrong, Finding{Code: FindingNoOffer, Client: firmware.ClientBIOS,
			Text: "the DHCP server makes no offer"})
	}
	return v
}

// heard are the offers to one client.
type heard struct {
	client  firmware.Client
	offers  []firmware.Offer
	answers []firmware.Offer // of boot servers, and their silence
}

func of(c firmware.Client, offers []firmware.Offer) heard {
	h := heard{client: c}
	for _, o := range offers {
		switch {
		case o.Client != c:
		case o.Ask != nil:
			h.answers = append(h.answers, o)
		default:
			h.offers = append(h.offers, o)
		}
	}
	return h
}

// astray is a decision by which the client fetches something else than url, and the offers as they came then. ok is
// false where it fetches url in whatever order they come.
func (h heard) astray(url string, offers []firmware.Offer) (d firmware.Decision, order []firmware.Offer, ok bool) {
	wrong := func() bool {
		order = append(order, h.answers...)
		d = firmware.Decide(h.client, order)
		return !sameFile(d.URL, url)
	}
	if order = slices.Clone(offers); wrong() {
		return d, order, true
	}
	for i := range offers {
		for _, to := range []int{0, len(offers) - 1} {
			order = slices.Clone(offers)
			o := order[i]
			order = slices.Insert(slices.Delete(order, i, i+1), to, o)
			for k := range order {
				order[k].After = 0
			}
			if wrong() {
				return d, order, true
			}
		}
	}
	return d, order, false
}

// Settled is what c fetches first, and whether that is so in whatever order its offers come.
func Settled(c firmware.Client, offers []firmware.Offer) (url string, ok bool) {
	h := of(c, offers)
	url = firmware.Decide(c, offers).URL
	_, _, astray := h.astray(url, h.offers)
	return url, !astray
}

// client judges what one client was offered, for which want has a boot file.
func (v *Verdict) client(want Boot, p Plan, h heard, path Path) {
	own, others := h.split(p)
	silent := len(own) == 0 && !slices.ContainsFunc(h.answers, func(o firmware.Offer) bool {
		return !o.Silent && p.Owns(o)
	})
	base := own
	if silent {
		v.Wrong = append(v.Wrong, Finding{Code: FindingNoOffer, Client: h.client, Want: want.Expect(h.client),
			Text: h.client.String() + ": the DHCP server makes no offer"})
	} else {
		if p.Proxy {
			// Somebody else leases the addresses; who that is, and what else it says, is judged below.
			base = append([]firmware.Offer{{Client: h.client}}, own...)
		}
		if !v.own(want, h, base, own) {
			base = nil
		}
	}
	if path.Right() && path.Doubt != "" {
		v.Notes = append(v.Notes, Finding{Code: FindingDoubt, Client: h.client, Text: h.client.String() + ": " + path.Doubt})
	}
	for _, theirs := range others {
		v.foreign(want, p, h, base, theirs)
	}
}
