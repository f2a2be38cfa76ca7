package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// openBroadcast opens the two ways to all servers of a network.
//
// The raw one sends from the made-up MAC, as a machine that boots would; it hears unicast answers to that MAC as well,
// before anybody could resolve its address. What it sends never reaches a UDP socket on the same machine, so the UDP
// one broadcasts too, and what comes back on port 68. That frame carries the device's own MAC, which also gets it past
// a switch or hypervisor that lets no other pass; the raw one gets past a switch that wants sender and chaddr to be
// equal (DHCP snooping). A server sees each DISCOVER twice, with one xid, as it would a repeated one.
func openBroadcast(dev *net.Interface, mac [6]byte, notes []string) ([]*way, []string, error) {
	raw, err := openRaw(dev, mac)
	if err != nil {
		return nil, notes, err
	}
	udp, err := openUDP(dev, portClient)
	if err != nil {
		// Without port 68 the raw socket still hears every answer, also one from this machine.
		why := err.Error()
		if errors.Is(err, syscall.EADDRINUSE) {
			why = "a DHCP client has it"
		} else if errors.Is(err, os.ErrPermission) {
			why = "it needs CAP_NET_BIND_SERVICE"
		}
		notes = append(notes, fmt.Sprintf("port %d on %s is not ours (%s): answers are heard by the raw socket alone",
			portClient, dev.Name, why))
		if udp, err = openUDP(dev, 0); err != nil {
			_ = raw.close()
			return nil, notes, fmt.Errorf("opening a UDP socket on %s: %w", dev.Name, err)
		}
		udp.receive = nil
	}
	return []*way{raw, udp}, notes, nil
}

// openRaw opens a packet socket. It hears what this machine sends as well (that is why it asks for every protocol, and
// leaves the choice to a filter): a DHCP server here may answer through a packet socket of its own.
func openRaw(dev *net.Interface, mac [6]byte) (*way, error) {
	filter, err := bpf.Assemble(slices.Concat(untagged, toClientPort))
	if err != nil {
		return nil, fmt.Errorf("assembling a packet filter: %w", err)
	}
	conn, err := packet.Listen(dev, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w: a raw socket on %s needs CAP_NET_RAW: %s", ErrPermission, dev.Name,
			grant("cap_net_raw,cap_net_bind_service"))
	}
	if err != nil {
		return nil, fmt.Errorf("opening a raw socket on %s: %w", dev.Name, err)
	}
	if err := hearMAC(conn, dev, mac); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listening to %s on %s: %w", net.HardwareAddr(mac[:]), dev.Name, err)
	}
	broadcast := &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	return &way{
		name: viaRaw,
		send: func(m message, b []byte) error {
			_, err := conn.WriteTo(frame(m.mac, b), broadcast)
			return err
		},
		receive: func(buf []byte) ([]byte, netip.AddrPort, error) {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return nil, netip.AddrPort{}, err
			}
			return parseFrame(buf[:n])
		},
		close: conn.Close,
	}, nil
}

// untagged leaves out a frame of a VLAN that runs over the device, before toClientPort: it comes without its tag, which
// the kernel has put aside, and belongs to another network.
var untagged = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtVLANTag},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x0fff, SkipTrue: uint8(len(toClientPort) - 1)},
}

// hearMAC has the device take frames to mac too, without the promiscuous mode that would take all.
func hearMAC(conn *packet.Conn, dev *net.Interface, mac [6]byte) error {
	sc, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	mreq := unix.PacketMreq{Ifindex: int32(dev.Index), Type: unix.PACKET_MR_UNICAST, Alen: 6}
	copy(mreq.Address[:], mac[:])
	var set error
	if err := sc.Control(func(fd uintptr) {
		set = unix.SetsockoptPacketMreq(int(fd), unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq)
	}); err != nil {
		return err
	}
	return set
}

// openUDP opens the broadcasting socket. It is bound to 255.255.255.255, so that it takes none of the unicast answers
// that are meant for this machine's DHCP client.
func openUDP(dev *net.Interface, port uint16) (*way, error) {
	local := allOnes
	if port == 0 {
		local = netip.IPv4Unspecified()
	}
	conn, err := listenOn(dev, netip.AddrPortFrom(local, port))
	if err != nil {
		return nil, err
	}
	return datagram(viaUDP, conn, func(message) netip.AddrPort { return netip.AddrPortFrom(allOnes, portServer) }), nil
}

// listenOn opens a UDP socket that uses dev and no other interface.
func listenOn(dev *net.Interface, local netip.AddrPort) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.BindToDevice(int(fd), dev.Name))
		})
		return errors.Join(err, set)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", local.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// openProxy opens the way to port 4011, from dev's address, which it returns.
//
// A server on this machine is asked by broadcast out of dev: what goes to an address of one's own comes in on lo, where
// dnsmasq does not find the network it belongs to. Its answer does come in on lo, so the socket is not bound to the
// device. Each packet names the sender besides the device: by the device alone the kernel takes its first address, and
// a boot server that was asked for an item answers to where the question came from.
func openProxy(dev *net.Interface, peer netip.Addr) (*way, netip.Addr, error) {
	local, err := deviceAddr(dev, peer)
	if err != nil {
		return nil, local, err
	}
	own, err := dev.Addrs()
	if err != nil {
		return nil, local, fmt.Errorf("reading the addresses of %s: %w", dev.Name, err)
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, local, err
	}
	out := ipv4.NewPacketConn(conn)
	w := datagram(viaPXE, conn, nil)
	from := &ipv4.ControlMessage{IfIndex: dev.Index, Src: local.AsSlice()}
	w.send = func(m message, b []byte) error {
		to := m.to
		for _, a := range own {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == to.Addr() {
				to = netip.AddrPortFrom(allOnes, to.Port())
			}
		}
		_, err := out.WriteTo(b, from, net.UDPAddrFromAddrPort(to))
		return err
	}
	return w, local, nil
}
