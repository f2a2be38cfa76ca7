package dnsmasq

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// offered is what an offer says about network boot, and how.
func offered(o firmware.Offer) string {
	name, where := o.BootFile()
	return fmt.Sprintf("%s %s: %s in %s, server %s, option 60 %q, proxy %v", o.Client, o.Via, name, where, o.NextServer,
		o.Vendor, o.Proxy)
}

func wantOffers(t *testing.T, offers []firmware.Offer, want ...string) {
	t.Helper()
	wantOffersOf(t, "10.77.0.1", offers, want...)
}

// wantOffersOf compares the offers of the server with that address.
func wantOffersOf(t *testing.T, server string, offers []firmware.Offer, want ...string) {
	t.Helper()
	var got []string
	for _, o := range offers {
		if o.Server == lab.Addr(server) {
			got = append(got, offered(o))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("offered\n%q\nwant\n%q", got, want)
	}
}

func TestEachMachineIsToldItsOwn(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	p := s.apply(testBoot(nextUp))
	if p.Proxy || !slices.Equal(p.Own, []netip.Addr{lab.Addr("10.77.0.1")}) || len(p.Problems) > 0 {
		t.Errorf("plan: %+v", p)
	}
	offers := s.discovers(t.Context(), firmware.Clients())
	wantOffers(t, offers,
		`bios udp: undionly.kpxe in option 67, server 10.77.0.7, option 60 "", proxy false`,
		`efi64 udp: ipxe.efi in option 67, server 10.77.0.7, option 60 "", proxy false`,
		`efi-bc udp: ipxe.efi in option 67, server 10.77.0.7, option 60 "", proxy false`,
		`efi32 udp: ipxe32.efi in option 67, server 10.77.0.7, option 60 "", proxy false`,
		`arm64 udp: arm/snp-arm64.efi in option 67, server 10.77.0.7, option 60 "", proxy false`,
		`http64 udp: http://10.77.0.7:8080/ipxe.efi in option 67, server 10.77.0.7, option 60 "HTTPClient", proxy false`,
		`http-arm64 udp: http://10.77.0.7:8080/arm/snp-arm64.efi in option 67, server 10.77.0.7, option 60 "HTTPClient", `+
			`proxy false`,
		`ipxe udp: http://10.77.0.7:8080/ipxe/bootstrap.ipxe in option 67, server 10.77.0.7, option 60 "", proxy false`)
	if v := dhcp.Verify(testBoot(nextUp), p, offers); !v.Agrees() {
		t.Errorf("verdict: %+v", v)
	}
}

// A machine that pxeagent does not cover is sent nothing, and iPXE without a script the same as BIOS firmware.
func TestOthersAreToldNothing(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.apply(onlyBIOS(nextUp))
	wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64,
		firmware.ClientHTTP64,
		firmware.ClientIPXE}),
		`bios udp: pxelinux.0 in option 67, server 10.77.0.7, option 60 "", proxy false`,
		`efi64 udp:  in , server 10.77.0.1, option 60 "", proxy false`,
		`http64 udp:  in , server 10.77.0.1, option 60 "", proxy false`,
		`ipxe udp: pxelinux.0 in option 67, server 10.77.0.7, option 60 "", proxy false`)
}

func TestProxyBesideISC(t *testing.T) {
	lab.Need(t, "dhcpd")
	s := newSite(t, ModeProxy, "")
	h := s.segment.Host("isc", "eth2", "10.77.0.2/24")
	h.ISC("authoritative; subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.100 10.77.0.120; ping-check false; }",
		"eth2")
	p := s.apply(testBoot(nextUp))
	wantCodes(t, p, "opens-ports", "affects-http")
	if !p.Proxy {
		t.Error("the plan does not say that another server leases here")
	}
	offers := s.discovers(t.Context(), firmware.Clients())
	wantOffers(t, offers,
		`bios udp: undionly.kpxe in file, server 10.77.0.7, option 60 "PXEClient", proxy true`,
		// UEFI firmware is sent to Dnsmasq's own port 4011 by an offer without a file.
		`efi64 udp:  in , server 10.77.0.1, option 60 "PXEClient", proxy true`,
		`efi64 pxe: ipxe.efi in file, server 10.77.0.7, option 60 "PXEClient", proxy true`,
		`efi-bc udp:  in , server 10.77.0.1, option 60 "PXEClient", proxy true`,
		`efi-bc pxe: ipxe.efi in file, server 10.77.0.7, option 60 "PXEClient", proxy true`,
		`efi32 udp:  in , server 10.77.0.1, option 60 "PXEClient", proxy true`,
		`efi32 pxe: ipxe32.efi in file, server 10.77.0.7, option 60 "PXEClient", proxy true`,
		`arm64 udp:  in , server 10.77.0.1, option 60 "PXEClient", proxy true`,
		`arm64 pxe: arm/snp-arm64.efi in file, server 10.77.0.7, option 60 "PXEClient", proxy true`,
		`http64 udp: http://10.77.0.7:8080/ipxe.efi in file, server 10.77.0.7, option 60 "HTTPClient", proxy true`,
		`http-arm64 udp: http://10.77.0.7:8080/arm/snp-arm64.efi in file, server 10.77.0.7, option 60 "HTTPClient", `+
			`proxy true`,
		`ipxe udp: http://10.77.0.7:8080/ipxe/bootstrap.ipxe in file, server 10.77.0.7, option 60 "PXEClient", proxy true`)
	if v := dhcp.Verify(testBoot(nextUp), p, offers); !v.Agrees() || len(v.Foreign) > 0 {
		t.Errorf("verdict: %+v", v)
	}
	if !slices.ContainsFunc(offers, func(o firmware.Offer) bool { return o.Server == lab.Addr("10.77.0.2") && !o.Proxy }) {
		t.Error("ISC dhcpd, which leases the addresses, makes no offer")
	}
}

// BIOS firmware selects the only entry of the menu in option 43 and asks port 4011 for it.
func TestProxyMenuOfBIOS(t *testing.T) {
	s := newSite(t, ModeProxy, "")
	s.apply(testBoot(nextUp))
	ask := func(m *dhcpv4.DHCPv4, port int) *dhcpv4.DHCPv4 {
		var conn net.PacketConn
		var err error
		s.client.Do(func() { conn, err = listenDHCP(t.Context(), "eth0") })
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.WriteTo(m.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: port}); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for buf := make([]byte, 2048); ; {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				t.Fatalf("port %d: %v", port, err)
			}
			if reply, err := dhcpv4.FromBytes(buf[:n]); err == nil && reply.TransactionID == m.TransactionID &&
				reply.OpCode == dhcpv4.OpcodeBootReply {
				return reply
			}
		}
	}
	offer := ask(discover(t, firmware.ClientBIOS), 67)
	menu := dhcpv4.Options{}
	if err := menu.FromBytes(offer.Options.Get(dhcpv4.OptionVendorSpecificInformation)); err != nil {
		t.Fatal(err)
	}
	// 9: type, length, text. 10: seconds, prompt (PXE 2.1 section 2.4).
	item := menu.Get(dhcpv4.GenericOptionCode(9))
	if len(item) < 3 || string(item[3:]) != "Network boot" || menu.Get(dhcpv4.GenericOptionCode(10))[0] != 0 {
		t.Fatalf("menu is %q", menu)
	}
	m := discover(t, firmware.ClientBIOS)
	m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, []byte{71, 4, item[0], item[1], 0, 0, 255}))
	m.ClientIPAddr = net.IPv4(10, 77, 0, 40)
	if reply := ask(m, 4011); reply.BootFileName != "undionly.kpxe" || !reply.ServerIPAddr.Equal(net.IPv4(10, 77, 0, 7)) {
		t.Errorf("port 4011 says %q on %v", reply.BootFileName, reply.ServerIPAddr)
	}
}

func TestInterfacesDoNotTouchEachOther(t *testing.T) {
	s := newSite(t, ModeServer,
		leasing+"dhcp-range=10.78.0.50,10.78.0.99,255.255.255.0,1h\ndhcp-range=10.79.0.50,10.79.0.99,255.255.255.0,1h\n")
	machines := map[string]*lab.Host{"eth1": s.client}
	for dev, addr := range map[string]string{"eth2": "10.78.0.1/24", "eth3": "10.79.0.1/24"} {
		seg := lab.NewSegment(t)
		seg.Plug(s.host, dev, addr)
		machines[dev] = seg.Host("client", "eth0")
	}
	s.restart()
	clients := []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientHTTP64, firmware.ClientIPXE}
	wire := func(dev string) []string {
		var got []string
		for _, o := range discovers(t.Context(), t, machines[dev], "eth0", clients, len(clients)) {
			name, _ := o.BootFile()
			got = append(got, fmt.Sprintf("%s %s %s %s", o.Client, name, o.NextServer, o.Vendor))
		}
		return got
	}
	untouched := wire("eth3")
	s.apply(testBoot(nextUp))
	first := wire("eth1")
	drop, err := os.ReadFile(s.server().File())
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Interface = "eth2"
	p := s.apply(onlyBIOS("10.78.0.7"))
	if len(p.Problems) > 0 {
		t.Errorf("another interface's drop-in is a problem: %+v", p.Problems)
	}
	if got := wire("eth1"); !slices.Equal(got, first) {
		t.Errorf("eth1 is sent %q, before eth2 was configured %q", got, first)
	}
	if got, want := wire("eth2"), []string{"bios pxelinux.0 10.78.0.7 ", "efi64  10.78.0.1 ", "http64  10.78.0.1 ",
		"ipxe pxelinux.0 10.78.0.7 "}; !slices.Equal(got, want) {
		t.Errorf("eth2 is sent %q, want %q", got, want)
	}
	if got := wire("eth3"); !slices.Equal(got, untouched) {
		t.Errorf("eth3, not configured, is sent %q, before %q", got, untouched)
	}
	if err := s.server().Revert(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(s.server().File()); err == nil || now != nil {
		t.Errorf("eth2's drop-in after revert: %q", now)
	}
	s.cfg.Interface = "eth1"
	if now, err := os.ReadFile(s.server().File()); err != nil || string(now) != string(drop) {
		t.Errorf("eth1's drop-in was changed: %v", err)
	}
}

// A proxy on one network leaves the leases of another as they are, but for what the plan says.
func TestProxyBesideOwnLeases(t *testing.T) {
	s := newSite(t, ModeProxy,
		"dhcp-range=10.78.0.50,10.78.0.99,255.255.255.0,1h\ndhcp-boot=tag:eth2,other.0,,10.78.0.9\n")
	seg := lab.NewSegment(t)
	seg.Plug(s.host, "eth2", "10.78.0.1/24")
	machine := seg.Host("client", "eth0")
	s.restart()
	b := testBoot(nextUp)
	b.URL = [firmware.NumArch]string{}
	p := s.apply(b)
	wantCodes(t, p, "opens-ports", "affects-pxe")
	for _, o := range discovers(t.Context(), t, machine, "eth0",
		[]firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientIPXE}, 3) {
		if name, _ := o.BootFile(); name != "other.0" || o.NextServer != lab.Addr("10.78.0.9") || o.Vendor != "PXEClient" ||
			o.Proxy {
			t.Errorf("on the other network: %+v", o)
		}
	}
}
