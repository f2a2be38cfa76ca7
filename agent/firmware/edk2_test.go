package firmware

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The rules of EDK2 that TestDecide does not come to, read from its source.
func TestEDK2Rules(t *testing.T) {
	group := netip.MustParseAddr("224.0.1.2")
	pxeLease := func(sub ...[]byte) *packet { return lease(s).vendor("PXEClient").pxe(slices.Concat(sub...)...) }
	multicast := append([]byte{subMulticast, 4}, group.AsSlice()...)
	item := slices.Concat(menu(0x8000, 1), servers(0x8000, x))
	to := func(a netip.Addr, port uint16, p *packet) answered {
		return answered{Ask{netip.AddrPortFrom(a, port), 0x8000}, p}
	}
	bootp := func(p *packet) *packet { return p.without(53).without(54) }
	for name, c := range map[string]rule{
		"BOOTP with a name": {[]*packet{bootp(lease(s).boot("f"))}, nil, "tftp://10.0.0.1/f", "", `names "f"`, ""},
		"BOOTP without one": {[]*packet{bootp(lease(s))}, nil, "", "PXE-E18", "no DHCP server", ""},
		"DHCP with a name before BOOTP": {
			[]*packet{bootp(lease(x).boot("g")), lease(s).boot("f")}, nil, "tftp://10.0.0.1/f", "", "10.0.0.1", ""},
		"BOOTP without a mask": {[]*packet{bootp(lease(s).boot("f")).without(1)}, nil, "", "", "subnet mask", ""},
		"multicast TFTP of old": {[]*packet{lease(s).vendor("PXEClient").boot("f").
			pxe(1, 1, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 5, 1, 0)}, nil, "", "PXE-E18", "no DHCP server", ""},
		"no boot server of the type": {[]*packet{pxeLease(control(3), menu(0x8000, 1), servers(0x8001, x)).boot("f")}, nil,
			"", "PXE-E07", "lists no boot server", ""},
		"by multicast": {[]*packet{pxeLease(multicast, item)}, []answered{to(group, portPXE, message(x, 5).boot("n"))},
			"tftp://10.0.0.9/n", "", "10.0.0.9", ""},
		"by broadcast": {[]*packet{pxeLease(control(2), multicast, item)},
			[]answered{to(everybody, portDHCP, message(x, 5).boot("n"))}, "tftp://10.0.0.9/n", "", "10.0.0.9", ""},
		"by the list": {[]*packet{pxeLease(control(3), item)}, []answered{to(x, portPXE, message(x, 5).boot("n"))},
			"tftp://10.0.0.9/n", "", "10.0.0.9", ""},
		"in no way": {[]*packet{pxeLease(control(3), menu(0x8000, 1))}, nil, "", "PXE-E18", "no way to find a boot server",
			""},
		"only from the list": {[]*packet{pxeLease(control(7), item)},
			[]answered{to(x, portPXE, message(s, 5).boot("n"))}, "", "PXE-E18", "nothing answers", ""},
		"the file, from a listed server": {[]*packet{pxeLease(control(8), servers(0, x)).boot("f")}, nil,
			"tftp://10.0.0.9/f", "",
			"", ""},
	} {
		t.Run(name, func(t *testing.T) { c.check(t, ClientEFI64) })
	}
	http := func(url string) *packet { return lease(s).vendor("HTTPClient").name67(url) }
	for name, c := range map[string]rule{
		"https": {[]*packet{http("https://10.0.0.1/a.efi")}, nil, "https://10.0.0.1/a.efi", "", "sends the URL",
			"CA enrolled"},
		"ftp": {[]*packet{http("ftp://10.0.0.1/a.efi")}, nil, "", "", "http and https only", ""},
		"no type by its name": {[]*packet{http("http://10.0.0.1/boot?a")}, nil, "http://10.0.0.1/boot?a", "",
			"sends the URL", "Content-Type: application/efi"},
		"by address before by name": {[]*packet{http("http://boot/a.efi").option(6, 10, 0, 0, 2),
			http("http://10.0.0.1/a.efi")}, nil, "http://10.0.0.1/a.efi", "", "", ""},
		"a proxy's by name, DNS of the lease": {[]*packet{lease(s).option(6, 10, 0, 0, 2),
			message(x, 2).vendor("HTTPClient").name67("http://boot/a.efi")}, nil, "http://boot/a.efi", "", "", ""},
	} {
		t.Run("HTTP/"+name, func(t *testing.T) { c.check(t, ClientHTTP64) })
	}
}

// The same for iPXE.
func TestIPXERules(t *testing.T) {
	group := netip.MustParseAddr("224.0.1.2")
	multicast := append([]byte{subMulticast, 4}, group.AsSlice()...)
	leased := func(sub ...[]byte) *packet {
		return lease(s).vendor("PXEClient").boot("f").pxe(slices.Concat(sub...)...)
	}
	for name, c := range map[string]rule{
		"a prompt without end": {[]*packet{leased(menu(0x8000, 255))}, nil, "", "", "waits for a key for ever", ""},
		"a proxy that is not wanted": {[]*packet{lease(s).boot("f").option(175, 176, 1, 1),
			proxy(x).pxe(slices.Concat(menu(0, 0))...)}, nil, "tftp://10.0.0.1/f", "", "10.0.0.1", ""},
		"the proxy of higher priority": {[]*packet{lease(s), proxy(x).boot("p").option(175, 1, 1, 5), proxy(s).boot("q")},
			nil,
			"tftp://10.0.0.9/p", "", "10.0.0.9", ""},
		"next-server of option 175": {[]*packet{lease(s).boot("f").option(175, ipxeNextServer, 4, 10, 0, 0, 9)}, nil,
			"tftp://10.0.0.9/f", "", "", ""},
		"a URL out of reach": {[]*packet{lease(s).file("http://192.168.7.1:8080/a.ipxe")}, nil, "", "", "no router", ""},
		"classless routes": {[]*packet{lease(s).file("f").siaddr(netip.MustParseAddr("192.168.7.1")).
			option(121, 24, 192, 168, 7, 10, 0, 0, 1)}, nil, "tftp://192.168.7.1/f", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) { c.check(t, ClientIPXE) })
	}
	offer := leased(multicast, menu(0x8000, 1), servers(0x8000, x)).parse(t, ClientIPXE)
	want := []Ask{{netip.AddrPortFrom(group, portPXE), 0x8000}, {netip.AddrPortFrom(everybody, portDHCP), 0x8000},
		{netip.AddrPortFrom(x, portPXE), 0x8000}}
	d := Decide(ClientIPXE, []Offer{offer})
	if !slices.Equal(d.Ask, want) || !strings.Contains(d.Reason, "boot server of type 32768") {
		t.Errorf("asks %v, want %v", d.Ask, want)
	}
}
