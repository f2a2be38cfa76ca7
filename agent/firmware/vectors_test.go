package firmware

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// at4011 is an answer of a server's port 4011, from a boot server of a type if item is not 0.
func at4011(server netip.Addr, item uint16, p *packet) answered {
	return answered{Ask{netip.AddrPortFrom(server, portPXE), item}, p}
}

type answered struct {
	ask    Ask
	packet *packet // nil: silence
}

// Each row was run with the client itself, or read from its source: what it does with these offers.
func TestDecide(t *testing.T) {
	rpi := slices.Concat(control(3), menu(0, 0))
	elsewhere := slices.Concat(control(7), menu(0x8001, 0), servers(0x8001, x))
	toS, toX := "tftp://10.0.0.1/", "tftp://10.0.0.9/"
	for _, c := range []struct {
		name    string
		client  Client
		offers  []*packet
		answers []answered
		url     string
		screen  string
		reason  string // a part of it
	}{
		{"option 67 before file", ClientEFI64, []*packet{lease(s).boot("f").name67("g")}, nil, toS + "g", "",
			"10.0.0.1 names"},
		{"option 66 does not count", ClientEFI64, []*packet{lease(s).file("f").option(66, []byte("10.0.0.9")...)}, nil, toS +
			"f", "", ""},
		{"PXEClient without option 43, silent", ClientEFI64, []*packet{lease(s).vendor("PXEClient").boot("f")},
			[]answered{at4011(s, 0, nil)}, "", "PXE-E16", "port 4011"},
		{"PXEClient without option 43, answered", ClientEFI64, []*packet{lease(s).vendor("PXEClient").boot("f")},
			[]answered{at4011(s, 0, message(x, 5).vendor("PXEClient").boot("p"))}, toX + "p", "", ""},
		{"told to use the file", ClientEFI64, []*packet{lease(s).vendor("PXEClient").boot("f").pxe(control(8)...)}, nil,
			toS + "f", "", ""},
		{"told to use the file, from a listed server", ClientEFI64,
			[]*packet{lease(s).vendor("PXEClient").boot("f").pxe(slices.Concat(control(8), servers(0, x))...)}, nil, toX + "f",
			"", ""},
		{"no menu is the local disk", ClientEFI64, []*packet{lease(s).vendor("PXEClient").boot("f").pxe(control(3)...)}, nil,
			"", "PXE-E21", "without a boot menu"},
		{"option 43 without PXEClient", ClientEFI64, []*packet{lease(s).boot("f").pxe(rpi...)}, nil, toS + "f", "", ""},
		{"the Raspberry Pi's menu", ClientEFI64, []*packet{lease(s).vendor("PXEClient").boot("f").pxe(rpi...)}, nil,
			"", "PXE-E21", "local disk"},
		{"boot server elsewhere", ClientEFI64, []*packet{lease(s).vendor("PXEClient").pxe(elsewhere...)},
			[]answered{at4011(x, 0x8001, message(x, 5).vendor("PXEClient").boot("n"))}, toX + "n", "", ""},
		{"boot server elsewhere, silent", ClientEFI64, []*packet{lease(s).vendor("PXEClient").pxe(elsewhere...)},
			[]answered{at4011(x, 0x8001, nil)}, "", "PXE-E18", "10.0.0.9"},
		{"a bare proxy disables the lease's file", ClientEFI64, []*packet{lease(s).boot("f"), proxy(x).boot("p")},
			[]answered{at4011(x, 0, nil)}, "", "PXE-E16", "10.0.0.9"},
		{"a bare proxy that answers", ClientEFI64, []*packet{lease(s).boot("f"), proxy(x).boot("p")},
			[]answered{at4011(x, 0, message(x, 5).boot("q"))}, toX + "q", "", `10.0.0.9, asked at port 4011, names "q"`},
		{"a proxy told to use its file", ClientEFI64, []*packet{lease(s).boot("f"), proxy(x).boot("p").pxe(control(8)...)},
			nil,
			toX + "p", "", ""},
		{"a PXEClient lease disables a good proxy", ClientEFI64,
			[]*packet{lease(s).vendor("PXEClient").boot("f"), proxy(x).boot("p").pxe(control(8)...)},
			[]answered{at4011(s, 0, nil)}, "", "PXE-E16", ""},
		{"the lease with a name", ClientEFI64, []*packet{lease(x), lease(s).boot("f")}, nil, toS + "f", "", ""},
		{"no name anywhere", ClientEFI64, []*packet{lease(s)}, nil, "", "PXE-E16", ""},
		{"no offer", ClientEFI64, nil, nil, "", "PXE-E18", ""},
		{"open option 67, alone", ClientEFI64, []*packet{lease(s).siaddr(s).option(67, []byte("g")...)}, nil, toS + "g", "",
			""},
		{"open option 67, then a proxy", ClientEFI64,
			[]*packet{lease(s).siaddr(s).option(67, []byte("g")...), proxy(x).boot("p").pxe(control(8)...)}, nil, "",
			"PXE-E99", "no NUL"},
		{"a proxy, then open option 67", ClientEFI64,
			[]*packet{proxy(x).boot("p").pxe(control(8)...), lease(s).siaddr(s).option(67, []byte("g")...)}, nil, toX + "p",
			"", ""},
		{"PXE lease before a plain one", ClientEFI64,
			[]*packet{lease(x).boot("f"), lease(s).vendor("PXEClient").boot("g").pxe(control(8)...)}, nil, toS + "g", "", ""},
		{"no mask", ClientEFI64, []*packet{lease(s).boot("f").without(1)}, nil, "", "PXE-E21", "subnet mask"},
		{"no way there", ClientEFI64, []*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1"))}, nil,
			"", "PXE-E53", "no router"},
		{"a router outside", ClientEFI64,
			[]*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1")).option(3, 192, 168, 7, 254)}, nil,
			"", "PXE-E53", "so is the router"},
		{"by the router", ClientEFI64, []*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1")).option(3, 10,
			0, 0, 1)}, nil,
			"tftp://192.168.7.1/f", "", ""},
		{"a prompt without end", ClientEFI64, []*packet{lease(s).vendor("PXEClient").pxe(slices.Concat(control(3),
			menu(0x8000, 255))...)},
			nil, "", "", "waits for a key"},
		{"no server identifier", ClientEFI64, []*packet{lease(s).boot("f").without(54)}, nil, "", "PXE-E18", ""},

		{"the URL", ClientHTTP64, []*packet{lease(s).vendor("HTTPClient").name67("http://10.0.0.1/a.efi")}, nil,
			"http://10.0.0.1/a.efi", "", ""},
		{"the URL in the file field", ClientHTTP64, []*packet{lease(s).vendor("HTTPClient").file("http://10.0.0.1/a.efi")},
			nil,
			"http://10.0.0.1/a.efi", "", ""},
		{"a URL without HTTPClient", ClientHTTP64, []*packet{lease(s).name67("http://10.0.0.1/a.efi")}, nil, "", "",
			"ignores it"},
		{"a URL with PXEClient", ClientHTTP64, []*packet{lease(s).vendor("PXEClient").name67("http://10.0.0.1/a.efi")}, nil,
			"", "", "ignores it"},
		{"HTTPClient and a name", ClientHTTP64, []*packet{lease(s).vendor("HTTPClient").name67("ipxe.efi")}, nil, "", "",
			"want a URL"},
		{"a host name without DNS", ClientHTTP64, []*packet{lease(s).vendor("HTTPClient").name67("http://boot/a.efi")}, nil,
			"", "", "no offer has a DNS server"},
		{"a host name, DNS of another lease", ClientHTTP64,
			[]*packet{lease(s).vendor("HTTPClient").name67("http://boot/a.efi"), lease(x).option(6, 10, 0, 0, 2)}, nil,
			"http://boot/a.efi", "", ""},
		{"the URL of a proxy", ClientHTTP64,
			[]*packet{lease(s), message(x, 2).vendor("HTTPClient").name67("http://10.0.0.9/a.efi")}, nil,
			"http://10.0.0.9/a.efi", "", ""},
		{"open option 67, then a proxy, HTTP", ClientHTTP64,
			[]*packet{
				lease(s).vendor("HTTPClient").option(67, []byte("http://10.0.0.1/a.efi")...),
				message(x, 2).vendor("HTTPClient").name67("http://10.0.0.9/a.efi"),
			}, nil, "", "PXE-E99", "no NUL"},
		{"a URL out of reach", ClientHTTP64, []*packet{lease(s).vendor("HTTPClient").name67("http://192.168.7.1/a.efi")}, nil,
			"", "", "no router"},

		{"file before option 67", ClientIPXE, []*packet{lease(s).boot("f").name67("g")}, nil, toS + "f", "", ""},
		{"the lease's name before the proxy's", ClientIPXE, []*packet{lease(s).boot("f"), proxy(x).boot("p")}, nil, toS +
			"f", "", ""},
		{"a proxy's name", ClientIPXE, []*packet{lease(s), proxy(x).boot("p")}, nil, toX + "p", "", ""},
		{"a proxy's menu beats the lease's name", ClientIPXE,
			[]*packet{lease(s).boot("f"), proxy(x).pxe(slices.Concat(control(3), menu(0x8000, 0), servers(0x8000, x))...)},
			[]answered{at4011(x, 0x8000, message(x, 5).boot("n").pxe(subItem, 4, 0x80, 0, 0, 0))}, toX + "n", "", ""},
		{"an answer about another type", ClientIPXE,
			[]*packet{lease(s).boot("f"), proxy(x).pxe(slices.Concat(control(3), menu(0x8000, 0), servers(0x8000, x))...)},
			[]answered{at4011(x, 0x8000, message(x, 5).boot("n"))}, "", "", "none answers"},
		{"the Raspberry Pi's menu", ClientIPXE, []*packet{lease(s).vendor("PXEClient").boot("f").pxe(rpi...)}, nil, "", "",
			"local disk"},
		{"the same, told to use the file", ClientIPXE,
			[]*packet{lease(s).vendor("PXEClient").boot("f").pxe(slices.Concat(control(8), menu(0, 0))...)}, nil, toS + "f",
			"", ""},
		{"a bare proxy that is silent", ClientIPXE, []*packet{lease(s).boot("f"), proxy(x)}, []answered{at4011(x, 0, nil)},
			toS + "f", "", ""},
		{"the last of equal leases", ClientIPXE, []*packet{lease(s).boot("f"), lease(x).boot("g")}, nil, toX + "g", "", ""},
		{"the lease of higher priority", ClientIPXE, []*packet{lease(s).boot("f").option(175, 1, 1, 5), lease(x).boot("g")},
			nil,
			toS + "f", "", ""},
		{"a lease that came too late", ClientIPXE, []*packet{lease(s).boot("f"), lease(x).boot("g").after(5 * time.Second)},
			nil,
			toS + "f", "", ""},
		{"no next-server", ClientIPXE, []*packet{lease(s).file("f")}, nil, "", "", "no next-server"},
		{"a URL as name", ClientIPXE, []*packet{lease(s).file("http://10.0.0.7/b.ipxe")}, nil, "http://10.0.0.7/b.ipxe", "",
			""},
		{"a router outside is good enough", ClientIPXE,
			[]*packet{lease(s).file("http://192.168.7.1/b.ipxe").option(3, 192, 168, 7, 254)}, nil,
			"http://192.168.7.1/b.ipxe", "", ""},

		{"file and siaddr", ClientBIOS, []*packet{lease(s).boot("f")}, nil, toS + "f", "", ""},
		{"the Raspberry Pi's menu", ClientBIOS, []*packet{lease(s).vendor("PXEClient").boot("f").pxe(rpi...)}, nil, "", "",
			"local disk"},
		{"Dnsmasq with dhcp-boot, pxe-prompt and pxe-service", ClientBIOS,
			[]*packet{lease(s).vendor("PXEClient").boot("f").pxe(slices.Concat(control(3), menu(0x8000, 1),
				servers(0x8000, s))...)},
			[]answered{at4011(s, 0x8000, message(s, 5).boot("pxelinux.0"))}, toS + "pxelinux.0", "",
			`a boot menu (option 43) leads to 10.0.0.1, which names "pxelinux.0"`},
		{"PXEClient without option 43", ClientBIOS, []*packet{lease(s).vendor("PXEClient").boot("f")},
			[]answered{at4011(s, 0, nil)},
			toS + "f", "", ""},
		{"by a proxy", ClientBIOS, []*packet{lease(s), proxy(x).boot("p").pxe(control(8)...)}, nil, toX + "p", "", ""},
		{"no next-server", ClientBIOS, []*packet{lease(s).file("f")}, nil, "", "", "no next-server"},
		{"no address", ClientBIOS, []*packet{proxy(x).boot("p")}, nil, "", "PXE-E52", ""},
		{"no offer", ClientBIOS, nil, nil, "", "PXE-E51", ""},
	} {
		t.Run(strings.Join([]string{c.client.String(), c.name}, "/"), func(t *testing.T) {
			var offers []Offer
			for _, p := range c.offers {
				offers = append(offers, p.parse(t, c.client))
			}
			// Another client's offers are none of its business.
			offers = append(offers, lease(x).boot("other").parse(t, ClientARM64))
			heard := offers
			for _, a := range c.answers {
				answer := Offer{Client: c.client, Silent: true}
				if a.packet != nil {
					answer = a.packet.parse(t, c.client)
				}
				answer.Ask = &a.ask
				heard = append(heard, answer)
			}
			if len(c.answers) > 0 {
				d := Decide(c.client, offers)
				if len(d.Ask) != 1 || d.Ask[0] != c.answers[0].ask || d.URL != "" || d.Reason == "" {
					t.Errorf("without answers: %+v, want the ask %+v", d, c.answers[0].ask)
				}
			}
			d := Decide(c.client, heard)
			if d.URL != c.url || d.Screen != c.screen || !strings.Contains(d.Reason, c.reason) || d.Reason == "" ||
				d.Ask != nil {
				t.Errorf("got %+v\nwant URL %q, screen %q, reason with %q", d, c.url, c.screen, c.reason)
			}
		})
	}
}

// What vendors' ROMs are reported to differ in is said.
func TestDoubt(t *testing.T) {
	ofKea := lease(s).siaddr(s).option(67, 'f').parse(t, ClientBIOS)
	if d := Decide(ClientBIOS, []Offer{ofKea}); !strings.Contains(d.Doubt, "option 67 only") {
		t.Errorf("doubt %q", d.Doubt)
	}
	ofDnsmasq := lease(s).siaddr(s).name67("f").parse(t, ClientBIOS)
	if d := Decide(ClientBIOS, []Offer{ofDnsmasq}); d.Doubt != "" {
		t.Errorf("doubt %q", d.Doubt)
	}
	bare := lease(s).vendor("PXEClient").boot("f").parse(t, ClientBIOS)
	silent := Offer{Client: ClientBIOS, Ask: &Ask{To: netip.AddrPortFrom(s, portPXE)}, Silent: true}
	if d := Decide(ClientBIOS, []Offer{bare, silent}); !strings.Contains(d.Doubt, "PXE-E55") {
		t.Errorf("doubt %q", d.Doubt)
	}
	for _, c := range []Client{ClientBIOS, ClientEFI64, ClientIPXE} {
		certain := lease(s).boot("f").parse(t, c)
		if d := Decide(c, []Offer{certain}); d.Doubt != "" || d.URL == "" {
			t.Errorf("%s: %+v", c, d)
		}
	}
}

// The offer or answer that is followed is named by its place in the list.
func TestWhoseBootInformation(t *testing.T) {
	ask := Ask{To: netip.AddrPortFrom(x, portPXE)}
	leased, bare := lease(s).boot("f").after(1).parse(t, ClientEFI64), proxy(x).parse(t, ClientEFI64)
	answer := message(x, 5).boot("q").parse(t, ClientEFI64)
	answer.Ask = &ask
	if d := Decide(ClientEFI64, []Offer{answer, leased, bare}); d.Lease != 1 || d.Boot != 0 {
		t.Errorf("answered: lease %d, boot %d", d.Lease, d.Boot)
	}
	answer.Silent = true
	if d := Decide(ClientEFI64, []Offer{answer, leased, bare}); d.Lease != 1 || d.Boot != 2 || d.URL != "" {
		t.Errorf("silent: %+v", d)
	}
}

// What was made by hand stands for a plain lease, or a proxy's whole answer, wherever its server is.
func TestMadeByHand(t *testing.T) {
	far := netip.MustParseAddr("203.0.113.7")
	for _, c := range []struct {
		offers []Offer
		url    string
	}{
		{[]Offer{{Client: ClientEFI64, NextServer: far, File: "ipxe.efi"}}, "tftp://203.0.113.7/ipxe.efi"},
		{[]Offer{{Client: ClientHTTP64, Option67: "http://203.0.113.7/ipxe.efi"}}, "http://203.0.113.7/ipxe.efi"},
		{[]Offer{{Client: ClientEFI64, Server: s}, {Client: ClientEFI64, Server: x, Proxy: true, NextServer: x, File: "p"}},
			"tftp://10.0.0.9/p"},
		{[]Offer{{Client: ClientEFI64, Server: s, NextServer: s, File: "f"}, {Client: ClientEFI64, Server: x, Proxy: true}},
			"tftp://10.0.0.1/f"},
		{[]Offer{{Client: ClientEFI64, NoServerID: true, NextServer: far, File: "ipxe.efi"}}, ""},
	} {
		if d := Decide(c.offers[0].Client, c.offers); d.URL != c.url || d.Reason == "" {
			t.Errorf("%+v: %+v", c.offers, d)
		}
	}
}

// A client always comes to an end with a reason, once its questions were answered.
func FuzzDecide(f *testing.F) {
	f.Add(byte(0), slices.Concat(lease(s).boot("f").bytes(), proxy(x).boot("p").bytes()))
	f.Add(byte(1), lease(s).vendor("PXEClient").pxe(slices.Concat(control(7), menu(0x8001, 0),
		servers(0x8001, x))...).bytes())
	f.Add(byte(5), lease(s).vendor("HTTPClient").name67("http://10.0.0.1/a.efi").bytes())
	f.Add(byte(6), lease(s).option(175, 1, 1, 5, 176, 1, 1).boot("f").bytes())
	f.Fuzz(func(t *testing.T, client byte, b []byte) {
		c := Client(client % byte(NumClient))
		var offers []Offer
		for len(b) > 0 && len(offers) < 20 {
			n := min(len(b), 300)
			if r, err := Parse(b[:n]); err == nil {
				r.Client, r.From = c, s
				offers = append(offers, r)
			}
			b = b[n:]
		}
		heard := offers
		for round := 0; ; round++ {
			d := Decide(c, heard)
			if d.Reason == "" {
				t.Fatalf("no reason: %+v", d)
			}
			if d.Lease >= len(offers) || d.Boot >= len(heard) || d.URL != "" && (d.Lease < 0 || d.Boot < 0 || d.Screen != "") {
				t.Fatalf("contradicts itself: %+v", d)
			}
			if len(d.Ask) == 0 {
				return
			}
			if round == 3 || d.URL != "" {
				t.Fatalf("asks after %d rounds: %+v", round, d)
			}
			for i, ask := range d.Ask {
				a := Offer{Client: c, Silent: true}
				if i%2 == 1 && len(offers) > 0 {
					a = offers[0]
				}
				a.Ask = &ask
				heard = append(heard, a)
			}
		}
	})
}
