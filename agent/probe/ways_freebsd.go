package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openBroadcast opens the two ways to all servers of a network: bpf(4), which sends from the made-up MAC and needs no
// address, and UDP, which a server on this machine hears. In a jail there may be no /dev/bpf, and on an interface no
// address: then one of them has to do.
func openBroadcast(dev *net.Interface, _ [6]byte, notes []string) ([]*way, []string, error) {
	raw, err := openRaw(dev)
	if errors.Is(err, fs.ErrNotExist) {
		notes = append(notes, "there is no /dev/bpf: servers are asked and heard by UDP alone")
		udp, err := openUDP(dev, portClient)
		return []*way{udp}, notes, err
	}
	if err != nil {
		return nil, notes, err
	}
	udp, err := openUDP(dev, portClient)
	if errors.Is(err, ErrPortTaken) || errors.Is(err, ErrPermission) {
		notes = append(notes, fmt.Sprintf("port %d on %s is not ours: answers are heard by /dev/bpf alone", portClient,
			dev.Name))
		if udp, err = openUDP(dev, 0); err == nil {
			udp.receive = nil
		}
	}
	if errors.Is(err, ErrNoAddress) {
		notes = append(notes, fmt.Sprintf("%s has no IPv4 address: a server on this machine may not hear what is asked",
			dev.Name))
		return []*way{raw}, notes, nil
	}
	if err != nil {
		_ = raw.close()
		return nil, notes, err
	}
	return []*way{raw, udp}, notes, nil
}

// openUDP opens a broadcasting socket. The network is chosen by its broadcast address, which IP_ONESBCAST has the
// kernel replace by 255.255.255.255 on the wire, so the device needs an address.
func openUDP(dev *net.Interface, port uint16) (*way, error) {
	broadcast, err := broadcastAddr(dev)
	if err != nil {
		return nil, err
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
	conn, err := config.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: offers come to port %d, which a DHCP client has", ErrPortTaken, port)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: offers come to port %d: run as root", ErrPermission, port)
	case err != nil:
		return nil, fmt.Errorf("opening port %d on %s: %w", port, dev.Name, err)
	}
	to := netip.AddrPortFrom(broadcast, portServer)
	return datagram(viaUDP, conn.(*net.UDPConn), func(message) netip.AddrPort { return to }), nil
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
