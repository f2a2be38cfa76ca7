package probe

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
)

// Values of Offer.Via.
const (
	viaRaw   = "raw"
	viaUDP   = "udp"
	viaRelay = "relay"
	viaPXE   = "pxe"
)

// allOnes is the limited broadcast address.
var allOnes = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// datagram is a way over a bound UDP socket; to says where a message goes.
func datagram(name string, conn *net.UDPConn, to func(message) netip.AddrPort) *way {
	return &way{
		name: name,
		send: func(m message, b []byte) error {
			_, err := conn.WriteToUDPAddrPort(b, to(m))
			return err
		},
		receive: func(buf []byte) ([]byte, netip.AddrPort, error) {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			return buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
		},
		close: conn.Close,
	}
}

// openRelay opens the way of a relay agent: a socket on giaddr, by unicast to one server.
func openRelay(cfg Config, dev *net.Interface) (*way, netip.Addr, error) {
	server := cfg.Server
	if server.Port() == 0 {
		server = netip.AddrPortFrom(server.Addr(), portServer)
	}
	if !server.Addr().Is4() {
		return nil, netip.Addr{}, fmt.Errorf("DHCP server %s: want an IPv4 address", server.Addr())
	}
	giaddr, err := cfg.relayAddr(server, dev)
	if err != nil {
		return nil, giaddr, err
	}
	port := cfg.RelayPort
	switch port {
	case 0:
		port = portServer
	case AnyPort:
		port = 0
	}
	local := netip.AddrPortFrom(giaddr, uint16(port))
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(local))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, giaddr, fmt.Errorf("%w: a server answers a relay on port %d, and on %s that belongs to another program: "+
			"ask by broadcast, or from another machine", ErrPortTaken, port, giaddr)
	case errors.Is(err, os.ErrPermission):
		return nil, giaddr, fmt.Errorf("%w: a server answers a relay on port %d: %s", ErrPermission, port,
			grant("cap_net_bind_service"))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, giaddr, fmt.Errorf("%w: %s is not one of this machine's, and a server answers there", ErrNoAddress,
			giaddr)
	case err != nil:
		return nil, giaddr, fmt.Errorf("opening port %d for a server's answers: %w", port, err)
	}
	return datagram(viaRelay, conn, func(message) netip.AddrPort { return server }), giaddr, nil
}

// openRelayed opens the way to port 4011 from a relay's address, which is in the network of the machines. What goes to
// an address of this machine's own comes in on the loopback device, where the server does not find that network.
func openRelayed(giaddr, server netip.Addr) (*way, netip.Addr, error) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, giaddr, fmt.Errorf("reading this machine's addresses: %w", err)
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == server {
			return nil, giaddr, fmt.Errorf("%w but its own from which to ask %s", ErrNoAddress, server)
		}
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(giaddr, 0)))
	if err != nil {
		return nil, giaddr, err
	}
	return datagram(viaPXE, conn, func(m message) netip.AddrPort { return m.to }), giaddr, nil
}

// relayAddr is the address to be giaddr.
func (c Config) relayAddr(server netip.AddrPort, dev *net.Interface) (netip.Addr, error) {
	if c.Relay.IsValid() {
		return c.Relay, nil
	}
	if dev != nil {
		return deviceAddr(dev, server.Addr())
	}
	// A connected socket sends nothing; it only asks the routing table.
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: no way to %s: %w", ErrNoAddress, server.Addr(), err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// deviceAddr is the IPv4 address of dev, that on the network of peer first.
func deviceAddr(dev *net.Interface, peer netip.Addr) (netip.Addr, error) {
	addrs, err := dev.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the addresses of %s: %w", dev.Name, err)
	}
	var first netip.Addr
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().Is4() {
			continue
		}
		if p.Contains(peer) {
			return p.Addr(), nil
		}
		if !first.IsValid() {
			first = p.Addr()
		}
	}
	if !first.IsValid() {
		return first, fmt.Errorf("%w on %s", ErrNoAddress, dev.Name)
	}
	return first, nil
}

// grant says how a program is given capabilities.
func grant(capabilities string) string {
	if runtime.GOOS != "linux" {
		return "run as root"
	}
	return fmt.Sprintf("run as root, or once `setcap %s+ep` on the program, or in its systemd unit AmbientCapabilities=",
		capabilities)
}
