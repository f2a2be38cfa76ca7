package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openBroadcast opens the one way that there is without a packet socket: UDP. The network is chosen by its broadcast
// address, which IP_ONESBCAST has the kernel replace by 255.255.255.255 on the wire, so the device needs an address.
func openBroadcast(dev *net.Interface, _ [6]byte, notes []string) ([]*way, []string, error) {
	broadcast, err := broadcastAddr(dev)
	if err != nil {
		return nil, notes, err
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_ONESBCAST, 1))
		})
		return errors.Join(err, set)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", portClient))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, notes, fmt.Errorf("%w: offers come to port %d, which a DHCP client has", ErrPortTaken, portClient)
	case errors.Is(err, os.ErrPermission):
		return nil, notes, fmt.Errorf("%w: offers come to port %d: run as root", ErrPermission, portClient)
	case err != nil:
		return nil, notes, fmt.Errorf("opening port %d on %s: %w", portClient, dev.Name, err)
	}
	to := netip.AddrPortFrom(broadcast, portServer)
	return []*way{datagram(viaUDP, conn.(*net.UDPConn), func(message) netip.AddrPort { return to })}, notes, nil
}

// broadcastAddr is the directed broadcast address of dev's first IPv4 network.
func broadcastAddr(dev *net.Interface) (netip.Addr, error) {
	addrs, err := dev.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the addresses of %s: %w", dev.Name, err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			b := p.Addr().As4()
			for i := p.Bits(); i < 32; i++ {
				b[i/8] |= 0x80 >> (i % 8)
			}
			return netip.AddrFrom4(b), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%w on %s: a broadcast goes out by it", ErrNoAddress, dev.Name)
}

// openProxy opens the way to port 4011, from dev's address, which it returns.
func openProxy(dev *net.Interface, peer netip.Addr) (*way, netip.Addr, error) {
	local, err := deviceAddr(dev, peer)
	if err != nil {
		return nil, local, err
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, local, err
	}
	return datagram(viaPXE, conn, func(m message) netip.AddrPort { return m.to }), local, nil
}
