package dnsmasq

import (
	"fmt"
	"net/netip"
	"testing"

	"pxeagent/agent/firmware"
)

// The device has addresses in two networks, and machines get theirs in the second.
func TestNextServerOutsideTheLeasedNetwork(t *testing.T) {
	const second = "dhcp-range=192.168.50.100,192.168.50.150,255.255.255.0,1h\n"
	s := newSite(t, ModeServer, second+"dhcp-option=3\n")
	s.host.IP("addr", "add", "192.168.50.1/24", "dev", "eth1")
	s.restart()
	var leased []netip.Prefix
	var err error
	server := s.server()
	s.host.Do(func() { leased, err = server.Leased() })
	if err != nil || fmt.Sprint(leased) != "[192.168.50.0/24]" {
		t.Errorf("leased in %v, %v", leased, err)
	}
	s.refused(s.plan(testBoot("10.77.0.1")), "unreachable", "machines get addresses in 192.168.50.0/24, and cannot reach "+
		"next-server 10.77.0.1: dhcp-option=3 ("+s.path("dnsmasq.conf")+":7) offers no router; "+
		"set next_server (--next-server) to 192.168.50.1")
	wantCodes(t, s.apply(testBoot("192.168.50.1")))
	offers := s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS})
	wantOffersOf(t, "192.168.50.1", offers,
		`bios udp: undionly.kpxe in option 67, server 192.168.50.1, option 60 "", proxy false`)

	s.conf(func(text string) string { return cut(text, "dhcp-option=3") })
	s.restart()
	p := s.plan(testBoot("10.77.0.1"))
	wantCodes(t, p, "needs-route")
	if text := p.Problems[0].Text; text != "machines get addresses in 192.168.50.0/24, and reach next-server 10.77.0.1 "+
		"only by "+
		"their router (option 3); set next_server (--next-server) to 192.168.50.1" {
		t.Error(text)
	}
}
