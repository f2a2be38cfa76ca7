package tftp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// ErrPortTaken is returned by Listen where another program has the port. It is syscall.EADDRINUSE, too.
var ErrPortTaken = fmt.Errorf("the port is taken: %w", syscall.EADDRINUSE)

// Listener is the bound sockets of a server that does not serve yet.
type Listener struct{ sockets []*socket }

// socket is a listening socket of one address family.
type socket struct {
	conn  *net.UDPConn
	local netip.AddrPort
	pc    batcher
}

// batcher is what ipv4.PacketConn and ipv6.PacketConn have in common: they send several packets in a system call, where
// the system has such a call.
type batcher interface {
	WriteBatch([]ipv4.Message, int) (int, error)
}

// Listen binds UDP sockets to all the addresses, or to none. "::" stands for every address of both families;
// together with 0.0.0.0 it is IPv6 alone.
func Listen(addrs ...netip.AddrPort) (*Listener, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address to listen on")
	}
	any4 := false
	for _, a := range addrs {
		any4 = any4 || a.Addr() == netip.IPv4Unspecified()
	}
	l := &Listener{}
	for _, a := range addrs {
		s, err := bind(a)
		if a.Addr() == netip.IPv6Unspecified() && !any4 {
			// Two sockets, as what one socket for both families says of a packet's address differs between systems.
			noIPv6 := errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
			port := a.Port()
			if err == nil {
				l.sockets = append(l.sockets, s)
				port = s.local.Port()
			}
			if err == nil || noIPv6 {
				s, err = bind(netip.AddrPortFrom(netip.IPv4Unspecified(), port))
			}
		}
		if err != nil {
			l.Close()
			return nil, err
		}
		l.sockets = append(l.sockets, s)
	}
	return l, nil
}

// Addrs lists the bound addresses, with the ports that the system chose where port 0 was asked for.
func (l *Listener) Addrs() []netip.AddrPort {
	all := make([]netip.AddrPort, len(l.sockets))
	for i, s := range l.sockets {
		all[i] = s.local
	}
	return all
}

// Close closes the sockets. Server.Serve does it by itself.
func (l *Listener) Close() error {
	var errs []error
	for _, s := range l.sockets {
		if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func bind(a netip.AddrPort) (*socket, error) {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	network := "udp6"
	if a.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(a))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening on UDP %v: %w", a, ErrPortTaken)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on UDP %v: %w", a, err)
	}
	return newSocket(conn)
}

// newSocket takes a bound socket, and closes it where it cannot be used.
func newSocket(conn *net.UDPConn) (*socket, error) {
	s := &socket{conn: conn, local: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	s.pc = batching(conn, s.local.Addr())
	// After a power cut a whole room asks in the same second. The kernel may give less.
	_ = conn.SetReadBuffer(4 << 20)
	if err := noteDestination(s.pc); err != nil {
		conn.Close()
		return nil, fmt.Errorf("asking for the destination of packets to UDP %v: %w", s.local, err)
	}
	return s, nil
}

// Inherit is Listen for sockets that somebody else bound. One of IPv6 must be of IPv6 alone, as what a socket for both
// families says of a packet's address differs between systems. Where it fails it closes them all.
func Inherit(conns ...*net.UDPConn) (*Listener, error) {
	l := &Listener{}
	for i, c := range conns {
		both, err := bothFamilies(c)
		if err == nil && both {
			err = fmt.Errorf("UDP %v is for IPv4 and IPv6 together: want one socket for each "+
				"(BindIPv6Only=ipv6-only in a systemd unit)", c.LocalAddr())
		}
		var s *socket
		if err == nil {
			s, err = newSocket(c)
		}
		if err != nil {
			l.Close()
			for _, c := range conns[i:] {
				c.Close()
			}
			return nil, err
		}
		l.sockets = append(l.sockets, s)
	}
	return l, nil
}

// bothFamilies reports whether a socket of IPv6 gets packets of IPv4 as well.
func bothFamilies(conn *net.UDPConn) (bool, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false, err
	}
	var both bool
	var failed error
	err = raw.Control(func(fd uintptr) {
		family, err := syscall.Getsockname(int(fd))
		if _, is6 := family.(*syscall.SockaddrInet6); err != nil || !is6 {
			failed = err
			return
		}
		only, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY)
		both, failed = only == 0, err
	})
	return both, errors.Join(err, failed)
}

func batching(conn *net.UDPConn, family netip.Addr) batcher {
	if family.Is4() {
		return ipv4.NewPacketConn(conn)
	}
	return ipv6.NewPacketConn(conn)
}

// noteDestination has each packet come with its destination address and interface.
func noteDestination(pc batcher) error {
	switch pc := pc.(type) {
	case *ipv4.PacketConn:
		return pc.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
	case *ipv6.PacketConn:
		return pc.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
	}
	return os.ErrInvalid
}

// destination is the address that a packet was sent to and the index of the interface it came in by, both zero
// where the system does not tell.
func (s *socket) destination(control []byte) (netip.Addr, int) {
	var dst net.IP
	var index int
	if s.local.Addr().Is4() {
		var cm ipv4.ControlMessage
		if cm.Parse(control) == nil {
			dst, index = cm.Dst, cm.IfIndex
		}
	} else {
		var cm ipv6.ControlMessage
		if cm.Parse(control) == nil {
			dst, index = cm.Dst, cm.IfIndex
		}
	}
	addr, _ := netip.AddrFromSlice(dst)
	return addr, index
}

// control is the control message that makes a packet leave from src. It is nil where the socket has one address anyway.
func (s *socket) control(src netip.Addr) []byte {
	switch {
	case !s.local.Addr().IsUnspecified() || !src.IsValid() || src.IsUnspecified():
		return nil
	case src.Is4():
		return source4(src)
	}
	return (&ipv6.ControlMessage{Src: src.AsSlice()}).Marshal()
}
