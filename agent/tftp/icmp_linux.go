package tftp

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noteICMP has the system keep what ICMP says of packets that were sent from s, for refusals.
func (s *socket) noteICMP() error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	if s.local.Addr().Is4() {
		level, option = unix.IPPROTO_IP, unix.IP_RECVERR
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, 1) })
	if err != nil {
		return err
	}
	return failed
}

// refusals returns the clients of which ICMP has said that they cannot be reached, since it was asked last.
func (s *socket) refusals() (clients []netip.AddrPort) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		var control [256]byte
		for range 64 {
			_, n, _, from, err := unix.Recvmsg(int(fd), nil, control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if unreachableIn(control[:n]) {
				clients = append(clients, fromSockaddr(from))
			}
		}
	})
	return clients
}

// unreachableIn: a control message of an error is one of a destination that cannot be reached, and not of a packet that
// was too large.
func unreachableIn(control []byte) bool {
	all, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return false
	}
	for _, m := range all {
		if len(m.Data) < int(unsafe.Sizeof(unix.SockExtendedErr{})) {
			continue
		}
		e := (*unix.SockExtendedErr)(unsafe.Pointer(&m.Data[0]))
		switch {
		case e.Origin == unix.SO_EE_ORIGIN_ICMP && e.Type == 3 && e.Code != 4,
			e.Origin == unix.SO_EE_ORIGIN_ICMP6 && e.Type == 1:
			return true
		}
	}
	return false
}

func fromSockaddr(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).WithZone(zoneName(a.ZoneId)), uint16(a.Port))
	}
	return netip.AddrPort{}
}
