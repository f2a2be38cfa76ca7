package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pxeagent/agent/dhcp"
)

// standIn is a firewall with a DHCP server in memory, for the demonstration: its settings are saved and
// loaded in two steps, and it cannot tell iPXE from a ROM, as pfSense cannot. It is asked on a high port of loopback and answers
// the port that it was asked from, in place of the broadcast to port 68 that needs a real network.
type standIn struct {
	conn *net.UDPConn

	mu    sync.Mutex
	saved dhcp.Boot // what the configuration file says
	live  dhcp.Boot // what the running server says
}

func newStandIn() (*standIn, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return &standIn{conn: conn}, nil
}

func (s *standIn) String() string { return "stand-in firewall, interface ADMIN (opt1)" }

func (s *standIn) addr() netip.AddrPort {
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// record is the Raw of a State; nothing configured is no record.
func record(b dhcp.Boot) (dhcp.State, error) {
	if b == (dhcp.Boot{}) {
		return dhcp.State{}, nil
	}
	raw, err := json.Marshal(b)
	return dhcp.State{Boot: b, Raw: raw}, err
}

// Plan compares. What this kind of server cannot say (another answer for iPXE) is left out of the plan and named.
func (s *standIn) Plan(_ context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := dhcp.Plan{Own: []netip.Addr{s.addr().Addr()}}
	if want.Script != "" {
		want.Script = ""
		p.Problems = append(p.Problems, dhcp.Problem{
			Code: "cannot-tell-ipxe",
			Text: "this DHCP server cannot tell iPXE from a ROM and will send it undionly.kpxe again; the TFTP server breaks that loop",
		})
	}
	var err error
	if p.Before, err = record(s.saved); err != nil {
		return p, err
	}
	p.After, err = record(want)
	return p, err
}

// Apply saves and loads.
func (s *standIn) Apply(_ context.Context, p dhcp.Plan) error {
	return s.set(p.After.Boot, p.Before.Boot)
}

// Revert saves and loads what was there before.
func (s *standIn) Revert(_ context.Context, p dhcp.Plan) error {
	return s.set(p.Before.Boot, p.After.Boot, p.Before.Boot)
}

// set changes the settings if they are one of those expected.
func (s *standIn) set(to dhcp.Boot, expected ...dhcp.Boot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range expected {
		if s.saved == e {
			s.saved, s.live = to, to
			return nil
		}
	}
	return dhcp.ErrChanged
}

// serve answers DISCOVERs until the socket is closed.
func (s *standIn) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		offer, err := s.answer(buf[:n])
		if err != nil {
			continue // not a DISCOVER: no business of this server's
		}
		if _, err := s.conn.WriteToUDPAddrPort(offer.ToBytes(), from); err != nil {
			return err
		}
	}
}

var errNotForUs = errors.New("no DISCOVER")

func (s *standIn) answer(packet []byte) (*dhcpv4.DHCPv4, error) {
	ask, err := dhcpv4.FromBytes(packet)
	if err != nil {
		return nil, err
	}
	if ask.MessageType() != dhcpv4.MessageTypeDiscover {
		return nil, errNotForUs
	}
	s.mu.Lock()
	boot := s.live
	s.mu.Unlock()
	mods := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer),
		dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 100)),
		dhcpv4.WithServerIP(net.IPv4zero),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP(s.addr().Addr().AsSlice()))),
		dhcpv4.WithNetmask(net.CIDRMask(8, 32)),
	}
	if boot.NextServer.IsValid() {
		mods = append(mods, dhcpv4.WithServerIP(net.IP(boot.NextServer.AsSlice())))
	}
	offer, err := dhcpv4.NewReplyFromRequest(ask, mods...)
	if err != nil {
		return nil, err
	}
	offer.BootFileName = bootFile(boot, ask)
	if strings.HasPrefix(offer.BootFileName, "http://") {
		offer.UpdateOption(dhcpv4.OptClassIdentifier("HTTPClient"))
	}
	return offer, nil
}

// bootFile chooses by architecture (RFC 4578 section 2.1) as firewalls do, with the BIOS file for whatever has none of its own.
func bootFile(b dhcp.Boot, ask *dhcpv4.DHCPv4) string {
	if strings.HasPrefix(ask.ClassIdentifier(), "HTTPClient") {
		return b.URL[dhcp.EFI64]
	}
	name := b.NBP[dhcp.BIOS]
	for _, code := range ask.ClientArch() {
		for _, c := range dhcp.Clients() {
			if own := b.NBP[c.Arch()]; c.Option93() == uint16(code) && own != "" {
				name = own
			}
		}
	}
	return name
}
