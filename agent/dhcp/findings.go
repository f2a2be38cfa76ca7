package dhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/firmware"
)

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
