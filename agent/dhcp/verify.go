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

// split are our server's offers, and those of each other server.
func (h heard) split(p Plan) (own []firmware.Offer, others [][]firmware.Offer) {
	index := map[netip.Addr]int{}
	for _, o := range h.offers {
		if p.Owns(o) {
			own = append(own, o)
			continue
		}
		i, known := index[o.Server]
		if !known {
			i = len(others)
			index[o.Server] = i
			others = append(others, nil)
		}
		others[i] = append(others[i], o)
	}
	return own, others
}

// own judges our server's offers alone and reports whether they lead to the desired file. base is what the client has
// besides: somebody's lease.
func (v *Verdict) own(want Boot, h heard, base, own []firmware.Offer) bool {
	var fields []Finding
	for _, o := range slices.Concat(own, h.answers) {
		// Where a name comes from a menu or port 4011, the announcement has none.
		name, _ := o.BootFile()
		if o.Silent || name == "" && o.Proxy && (len(own) > 1 || len(h.answers) > 0) {
			continue
		}
		fields = append(fields, compare(want, o)...)
		if name != "" && o.Option66 != "" && o.Option66 != addrText(o.NextServer) && !IsURL(want.Expect(h.client)) {
			v.Notes = append(v.Notes, finding(FindingOption66, o, addrText(o.NextServer), o.Option66,
				"option 66 says %q where next-server is %s, and some clients prefer option 66", o.Option66, orUnset(o.NextServer)))
		}
	}
	url := want.FirstFile(h.client)
	d, order, wrong := h.astray(url, base)
	// A name that came with an answer was not found by its field alone.
	answered := d.Boot >= 0 && order[d.Boot].Ask != nil
	explained := !answered && (d.URL != "" || !slices.ContainsFunc(h.offers, isPXE))
	switch {
	case !wrong:
		v.Notes = append(v.Notes, fields...)
	case len(fields) > 0 && explained:
		v.Wrong = append(v.Wrong, fields...)
	default:
		v.Wrong = append(v.Wrong, leads(d, order, h.client, url))
	}
	return !wrong
}

// isPXE reports whether an offer has more than a name to go by: a menu, discovery, port 4011.
func isPXE(o firmware.Offer) bool {
	return o.Options != nil && strings.HasPrefix(o.Vendor, "PXEClient")
}

// leads is the finding that decision d, on offers, is not to fetch url.
func leads(d firmware.Decision, offers []firmware.Offer, c firmware.Client, url string) Finding {
	f := Finding{Code: FindingElsewhere, Client: c, Want: url, Got: d.URL}
	for _, i := range []int{d.Boot, d.Lease} {
		if i >= 0 && !f.Server.IsValid() {
			f.Server = offers[i].Server
		}
	}
	if d.URL == "" {
		f.Code = FindingNothing
	}
	f.Text = fmt.Sprintf("%s: %s, want %s", c, why(d), url)
	return f
}

// why is d's reason and what the machine shows.
func why(d firmware.Decision) string {
	if d.Screen != "" {
		return reason(d) + " (" + d.Screen + ")"
	}
	return reason(d)
}

// foreign judges another server's offers: whether the client is led elsewhere by them, or would be by them alone where
// base, our server's, are missing or wrong.
func (v *Verdict) foreign(want Boot, p Plan, h heard, base, theirs []firmware.Offer) {
	var fields []Finding
	said := theirs[0]
	for _, o := range theirs {
		if w := compare(want, o); len(w) > 0 && (len(fields) == 0 || fields[0].Code == FindingNoFile) {
			fields, said = w, o
		}
	}
	name, _ := said.BootFile()
	if base == nil && (len(fields) == 0 || name == "" && (p.Proxy || said.Proxy)) {
		return // it leases the addresses, or announces what is judged by its answer
	}
	code, who := FindingForeign, "another DHCP server"
	switch {
	case p.partner(said):
		code, who = FindingPeer, "the failover partner"
	case said.Proxy:
		code, who = FindingProxy, "another proxyDHCP server"
	}
	together := slices.Concat(base, theirs)
	if p.Proxy && !said.Proxy && len(base) > 0 {
		together = slices.Concat(base[1:], theirs) // this is the lease
	}
	url := want.FirstFile(h.client)
	d, order, wrong := h.astray(url, together)
	switch {
	case !wrong:
		return
	case d.URL == "" && (isPXE(said) || len(fields) == 0 || p.Proxy && name == ""):
		f := leads(d, order, h.client, url)
		f.Code, f.Server = code, said.Server
		f.Text = fmt.Sprintf("%s from %s: %s leads machines astray: %s, want %s", h.client, addrText(said.Server), who,
			why(d), url)
		v.Foreign = append(v.Foreign, f)
		return
	case len(fields) == 0:
		f := leads(d, order, h.client, url)
		f.Code, f.Server = code, said.Server
		v.Foreign = append(v.Foreign, f)
		return
	}
	w := fields[0]
	says, wanted := fmt.Sprintf("boot file %q", w.Got), fmt.Sprintf("%q", w.Want)
	switch w.Code {
	case FindingNoFile:
		says = "no boot file"
	case FindingNextServer:
		says, wanted = "next-server "+orUnset(said.NextServer), w.Want
	}
	v.Foreign = append(v.Foreign, finding(code, said, w.Want, w.Got, "%s offers %s, want %s", who, says, wanted))
}

// silent judges our server's offers to one client that should be told nothing.
func (v *Verdict) silent(c firmware.Client, p Plan, offers []firmware.Offer) {
	for _, o := range offers {
		if o.Client != c || o.Silent || !p.Owns(o) {
			continue
		}
		if name, where := o.BootFile(); name != "" {
			v.Wrong = append(v.Wrong, finding(FindingStillBoots, o, "", name, "%s still says %q", where, name))
		} else if o.Option66 != "" {
			v.Wrong = append(v.Wrong, finding(FindingStillBoots, o, "", o.Option66, "option 66 still says %q", o.Option66))
		} else if o.NextServer.IsValid() && !o.NextServer.IsUnspecified() && o.NextServer != o.Server &&
			o.NextServer != o.From {
			// Several servers name themselves in siaddr whenever they have nothing else to put there.
			v.Wrong = append(v.Wrong, finding(FindingStillBoots, o, "", o.NextServer.String(), "next-server is still %s",
				o.NextServer))
		}
	}
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
