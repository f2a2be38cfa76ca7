package pfsensetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const leaseTime = 7200 // seconds

// errSilent: this packet is not answered.
var errSilent = errors.New("no answer")

// ListenDHCP answers for an interface on addr, such as 127.0.0.1:0, and returns its address. It replies to the sender's
// port instead of the broadcast to port 68, which needs a network and privileges.
func (f *Firewall) ListenDHCP(id string, addr netip.AddrPort) (netip.AddrPort, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("starting the firewall's DHCP server: %w", err)
	}
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()),
		f.serveDHCP(id, conn, func(_ *dhcpv4.DHCPv4, from net.Addr) net.Addr {
			return from
		})
}

// toClient is the destination of an answer on a network: the relay that asked, or broadcast, because the client has no
// address yet.
func toClient(reply *dhcpv4.DHCPv4, _ net.Addr) net.Addr {
	if relay := reply.GatewayIPAddr; relay != nil && !relay.IsUnspecified() {
		return &net.UDPAddr{IP: relay, Port: dhcpv4.ServerPort}
	}
	return &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort}
}

// serveDHCP answers packets from conn until the firewall is closed. Send errors are ignored, as lost packets are.
func (f *Firewall) serveDHCP(id string, conn net.PacketConn, to func(*dhcpv4.DHCPv4, net.Addr) net.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		conn.Close()
		return net.ErrClosed
	}
	f.sockets = append(f.sockets, conn)
	f.dhcp.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			f.free()
			if reply, err := f.reply(id, buf[:n]); err == nil {
				_, _ = conn.WriteTo(reply.ToBytes(), to(reply, from))
			}
		}
	})
	return nil
}

// reply is the DHCP server's answer to a packet that arrived on an interface.
func (f *Firewall) reply(id string, packet []byte) (*dhcpv4.DHCPv4, error) {
	ask, err := dhcpv4.FromBytes(packet)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	section := f.loaded.Under("dhcpd/" + id)
	if _, on := section.Text("enable"); !on {
		return nil, errSilent
	}
	at := f.loaded.Under("interfaces/" + id)
	text, _ := at.Text("ipaddr")
	bits, _ := at.Text("subnet")
	own, err := netip.ParsePrefix(text + "/" + bits)
	if err != nil {
		return nil, errSilent
	}
	l := f.leases[id]
	if l == nil {
		l = &leases{offered: map[string]netip.Addr{}, taken: map[netip.Addr]bool{}}
		f.leases[id] = l
	}
	a := askerOf(ask)
	a.device, _ = at.Text("if")
	addr, where, ok := l.find(section, a)
	if !ok {
		return nil, errSilent
	}
	kind := dhcpv4.MessageTypeOffer
	switch ask.MessageType() {
	case dhcpv4.MessageTypeDiscover:
	case dhcpv4.MessageTypeRequest:
		if chosen := ask.ServerIdentifier(); chosen != nil && !chosen.Equal(net.IP(own.Addr().AsSlice())) {
			return nil, errSilent // it accepts another server's offer
		}
		if kind = dhcpv4.MessageTypeAck; a.requested.IsValid() && a.requested != addr {
			kind = dhcpv4.MessageTypeNak
		} else if where.mapping == nil {
			l.taken[addr] = true
		}
	default:
		return nil, errSilent
	}
	return packetOf(ask, kind, own, addr, f.loaded.answerTo(f.opts.Release, where, a))
}

func packetOf(ask *dhcpv4.DHCPv4, kind dhcpv4.MessageType, own netip.Prefix, addr netip.Addr,
	s answer) (*dhcpv4.DHCPv4, error) {
	ip := func(a netip.Addr) net.IP { return net.IP(a.AsSlice()) }
	p, err := dhcpv4.NewReplyFromRequest(ask, dhcpv4.WithMessageType(kind),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(ip(own.Addr()))))
	if err != nil || kind == dhcpv4.MessageTypeNak {
		return p, err
	}
	p.YourIPAddr = ip(addr)
	p.ServerIPAddr = net.IPv4zero
	if s.siaddr.IsValid() {
		p.ServerIPAddr = ip(s.siaddr)
	}
	p.BootFileName = s.file
	p.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(own.Bits(), 32)))
	p.UpdateOption(dhcpv4.OptRouter(ip(own.Addr())))
	p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionIPAddressLeaseTime, binary.BigEndian.AppendUint32(nil, leaseTime)))
	for code, text := range s.options {
		p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), []byte(text)))
	}
	return p, nil
}

// askerOf is the part of a request that a server looks at.
func askerOf(ask *dhcpv4.DHCPv4) asker {
	class := ask.ClassIdentifier()
	a := asker{
		mac: ask.ClientHWAddr.String(), http: strings.HasPrefix(class, "HTTPClient"),
		ipxe:      slices.ContainsFunc(ask.UserClass(), func(c string) bool { return c == "iPXE" }),
		option175: ask.Options.Has(dhcpv4.GenericOptionCode(175)),
		params:    ask.Options.Get(dhcpv4.OptionParameterRequestList),
	}
	// The first of several architectures (RFC 4578 section 2.1).
	if arch := ask.Options.Get(dhcpv4.OptionClientSystemArchitectureType); len(arch) >= 2 {
		a.hasArch, a.arch = true, binary.BigEndian.Uint16(arch)
	}
	if wanted, ok := netip.AddrFromSlice(ask.RequestedIPAddress().To4()); ok {
		a.requested = wanted
	}
	return a
}
