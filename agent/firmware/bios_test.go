package firmware

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// rule is what a client does with offers, and with answers of boot servers.
type rule struct {
	offers  []*packet
	answers []answered
	url     string
	screen  string
	reason  string // a part of it
	doubt   string // a part of it; "": none
}

// check runs a client on the offers, then on the answers to what it asks.
func (r rule) check(t *testing.T, client Client) {
	t.Helper()
	var offers []Offer
	for _, p := range r.offers {
		offers = append(offers, p.parse(t, client))
	}
	if asks := Decide(client, offers).Ask; len(asks) != len(r.answers) || len(asks) > 0 && asks[0] != r.answers[0].ask {
		t.Errorf("asks %v, want %v", asks, r.answers)
	}
	for _, a := range r.answers {
		answer := Offer{Client: client, Silent: true}
		if a.packet != nil {
			answer = a.packet.parse(t, client)
		}
		answer.Ask = &a.ask
		offers = append(offers, answer)
	}
	d := Decide(client, offers)
	if d.URL != r.url || d.Screen != r.screen || !strings.Contains(d.Reason, r.reason) || len(d.Ask) > 0 {
		t.Errorf("got %+v\nwant URL %q, screen %q, reason with %q", d, r.url, r.screen, r.reason)
	}
	if !strings.Contains(d.Doubt, r.doubt) || r.doubt == "" && d.Doubt != "" {
		t.Errorf("doubt %q, want %q", d.Doubt, r.doubt)
	}
}

// The rules of a BIOS ROM (PXE specification 2.1 and what vendors report), of which none could be run: one packet for
// each, besides those of TestDecide.
func TestBIOSRules(t *testing.T) {
	server := func(item uint16, a netip.Addr) answered { return at4011(a, item, message(a, 5).boot("n")) }
	silent := func(item uint16, a netip.Addr) answered { return at4011(a, item, nil) }
	pxeLease := func(sub ...[]byte) *packet { return lease(s).vendor("PXEClient").pxe(slices.Concat(sub...)...) }
	toMenu := slices.Concat(menu(0x8000, 1), servers(0x8000, x))
	for name, c := range map[string]rule{
		"option 43 counts with PXEClient alone": {
			[]*packet{lease(s).boot("f").pxe(menu(0, 0)...)}, nil, "tftp://10.0.0.1/f", "", `names "f"`, ""},
		"a lease with PXE's before one without": {
			[]*packet{lease(x).boot("f"), pxeLease(control(8)).boot("g")}, nil, "tftp://10.0.0.1/g", "", "10.0.0.1", ""},
		"a lease with a name before one without": {
			[]*packet{lease(x), lease(s).boot("f")}, nil, "tftp://10.0.0.1/f", "", "10.0.0.1",
			"10.0.0.9 also leases addresses and names no boot file"},
		"of leases with names the first": {
			[]*packet{lease(x).boot("g"), lease(s).boot("f")}, nil, "tftp://10.0.0.9/g", "", "10.0.0.9", ""},
		"a lease and a proxy": {
			[]*packet{lease(s).boot("f"), proxy(x).boot("p").pxe(control(8)...)}, nil, "tftp://10.0.0.9/p", "", "10.0.0.9", ""},
		"the first of two proxies": {
			[]*packet{lease(s), proxy(x).boot("p").pxe(control(8)...), proxy(s).boot("q").pxe(control(8)...)}, nil,
			"tftp://10.0.0.9/p", "", "10.0.0.9", ""},
		"a proxy without PXEClient is nothing": {
			[]*packet{lease(s).boot("f"), message(x, 2).boot("p")}, nil, "tftp://10.0.0.1/f", "", "10.0.0.1", ""},
		"no server identifier": {[]*packet{lease(s).boot("f").without(54)}, nil, "", "PXE-E52", "offers an address", ""},
		"no name":              {[]*packet{lease(s)}, nil, "", "PXE-E53", "names no boot file", ""},
		"the file field before option 67": {
			[]*packet{lease(s).boot("f").name67("g")}, nil, "tftp://10.0.0.1/f", "", `"f"`, ""},
		"option 67 alone": {[]*packet{lease(s).siaddr(s).name67("g")}, nil, "tftp://10.0.0.1/g", "", `"g"`, ""},
		"option 67 alone, with nothing behind it": {
			[]*packet{lease(s).siaddr(s).option(67, 'g')}, nil, "tftp://10.0.0.1/g", "", `"g"`,
			"the boot file is in option 67 only"},
		"option 66 does not replace siaddr": {
			[]*packet{lease(s).file("f").option(66, []byte("10.0.0.9")...)}, nil, "", "", "no next-server",
			"some ROMs ask the DHCP server itself then"},
		"next-server without a route": {
			[]*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1"))}, nil, "", "", "no router", ""},
		"a router outside": {
			[]*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1")).option(3, 192, 168, 7, 254)}, nil, "", "",
			"so is the router", ""},
		"by the router": {
			[]*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1")).option(3, 10, 0, 0, 1)}, nil,
			"tftp://192.168.7.1/f", "", "192.168.7.1", ""},
		"the file at once: bit 3": {
			[]*packet{pxeLease(control(8), menu(0, 0)).boot("f")}, nil, "tftp://10.0.0.1/f", "", `"f"`, ""},
		"bit 3 without a file is the menu": {
			[]*packet{pxeLease(control(8+3), toMenu)}, []answered{server(0x8000, x)}, "tftp://10.0.0.9/n", "",
			"a boot menu (option 43) leads to 10.0.0.9", ""},
		"the local disk": {[]*packet{pxeLease(menu(0, 0)).boot("f")}, nil, "", "", "sends the ROM to the local disk", ""},
		"a prompt without end": {
			[]*packet{pxeLease(menu(0x8000, 255)).boot("f")}, nil, "", "", "waits for a key for ever", ""},
		"a menu without a prompt": {
			[]*packet{pxeLease([]byte{subMenu, 4, 0x80, 0, 1, 'x'}).boot("f")}, nil, "", "", "waits for a key for ever", ""},
		"discovery without a menu is the file": {
			[]*packet{pxeLease(control(3)).boot("f")}, nil, "tftp://10.0.0.1/f", "", `"f"`, ""},
		"discovery without a menu or file": {
			[]*packet{pxeLease(control(3))}, nil, "", "PXE-E53", "no boot file and has no boot menu", ""},
		"no boot server of the type": {
			[]*packet{pxeLease(control(3), menu(0x8000, 1), servers(0x8001, x)).boot("f")}, nil, "", "PXE-E77",
			"type 32768, for which it lists no boot server", ""},
		"a boot server": {
			[]*packet{pxeLease(control(3), toMenu).boot("f")}, []answered{server(0x8000, x)}, "tftp://10.0.0.9/n", "",
			`leads to 10.0.0.9, which names "n"`, ""},
		"a boot server that is silent": {
			[]*packet{pxeLease(control(3), toMenu).boot("f")}, []answered{silent(0x8000, x)}, "", "PXE-E78", "none answers", ""},
		"a boot server that names nothing": {
			[]*packet{pxeLease(control(3), toMenu).boot("f")}, []answered{at4011(x, 0x8000, message(x, 5))}, "", "PXE-E78",
			"none answers", ""},
		"a boot server without a route": {
			[]*packet{pxeLease(control(3), toMenu)},
			[]answered{at4011(x, 0x8000, message(x, 5).file("n").siaddr(netip.MustParseAddr("192.168.7.1")))}, "", "",
			"no router", ""},
		"port 4011 answers": {
			[]*packet{lease(s).vendor("PXEClient").boot("f")}, []answered{at4011(s, 0, message(x, 5).boot("p"))},
			"tftp://10.0.0.9/p", "", "asked at port 4011", ""},
		"port 4011 of option 54 where siaddr is not set": {
			[]*packet{lease(s), proxy(x)}, []answered{at4011(x, 0, message(x, 5).boot("p"))}, "tftp://10.0.0.9/p", "",
			"asked at port 4011", ""},
		"port 4011 is silent": {
			[]*packet{lease(s).vendor("PXEClient").boot("f")}, []answered{silent(0, s)}, "tftp://10.0.0.1/f", "", `"f"`,
			"some ROMs stop there with PXE-E55"},
		"port 4011 is silent, and there is no file": {
			[]*packet{lease(s), proxy(x)}, []answered{silent(0, x)}, "", "PXE-E55", "nothing answers at its port 4011", ""},
	} {
		t.Run(name, func(t *testing.T) { c.check(t, ClientBIOS) })
	}
}

// A ROM looks for a boot server by multicast, by broadcast and at those that are listed, unless discovery control (PXE
// 2.1, sub-option 6) rules a way out; the first good answer counts.
func TestBIOSLooksForBootServers(t *testing.T) {
	group := netip.MustParseAddr("224.0.1.2")
	multicast := append([]byte{subMulticast, 4}, group.AsSlice()...)
	var (
		byMulticast = Ask{netip.AddrPortFrom(group, portPXE), 0x8000}
		byBroadcast = Ask{netip.AddrPortFrom(everybody, portDHCP), 0x8000}
		listed      = Ask{netip.AddrPortFrom(x, portPXE), 0x8000}
	)
	offer := func(control ...byte) Offer {
		return lease(s).vendor("PXEClient").pxe(slices.Concat(control, multicast, menu(0x8000, 1), servers(0x8000, x))...).
			parse(t, ClientBIOS)
	}
	for name, c := range map[string]struct {
		control []byte
		want    []Ask
	}{
		"no control":   {nil, []Ask{byMulticast, byBroadcast, listed}},
		"no broadcast": {control(1), []Ask{byMulticast, listed}},
		"no multicast": {control(2), []Ask{byBroadcast, listed}},
		"neither":      {control(3), []Ask{listed}},
	} {
		if got := Decide(ClientBIOS, []Offer{offer(c.control...)}).Ask; !slices.Equal(got, c.want) {
			t.Errorf("%s: asks %v, want %v", name, got, c.want)
		}
	}
	heard := []Offer{offer()}
	for _, ask := range []Ask{byMulticast, byBroadcast, listed} {
		answer := message(x, 5).boot("by-"+ask.To.Addr().String()).parse(t, ClientBIOS)
		answer.Ask, answer.Silent = &ask, ask == byMulticast
		heard = append(heard, answer)
	}
	if d := Decide(ClientBIOS, heard); d.URL != "tftp://10.0.0.9/by-255.255.255.255" || d.Boot != 2 {
		t.Errorf("%+v", d)
	}
}
