package tftp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// port is a socket for one transfer, connected to its client. It is not one of package net, as that wakes a goroutine
// for each packet, which costs more than the packet.
type port struct {
	fd     int
	is4    bool
	size   int  // of the packets that a longer send is cut into (UDP_SEGMENT), 0 if none is
	single bool // packets go one at a time
}

// dial opens a socket from local, with a new port, to client.
func dial(local, client netip.AddrPort) (*port, error) {
	w, err := connect(local.Addr(), client)
	if err != nil {
		return nil, fmt.Errorf("opening a socket from %v to %v: %w", local.Addr(), client, err)
	}
	return w, nil
}

func connect(local netip.Addr, client netip.AddrPort) (*port, error) {
	family := unix.AF_INET6
	if client.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if local.IsLinkLocalUnicast() {
		local = local.WithZone(client.Addr().Zone())
	}
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0))); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	if err := unix.Connect(fd, sockaddr(client)); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return &port{fd: fd, is4: family == unix.AF_INET}, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zoneIndex(a.Addr().Zone())}
}

func (w *port) send(b []byte, size int) error {
	var err error
	if len(b) > size && !w.single && w.cut(size) {
		if err = w.write(b); !notWhole(err) {
			return err
		}
	} else if err = oneByOne(b, size, w.write); w.size == 0 || !errors.Is(err, unix.EMSGSIZE) {
		return err
	}
	w.single = true
	w.cut(0)
	return oneByOne(b, size, w.write)
}

// write and read do not wait, so they need not tell Go's scheduler that they might. That, and the calls of sockets in
// place of those of files, saves a tenth of what a block costs.
func (w *port) write(b []byte) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(w.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, 0, 0)
	return failed(errno)
}

func (w *port) read(b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(w.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, failed(errno)
	}
	return int(n), nil
}

// failed is errno as an error.
func failed(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// cut has longer sends cut into packets of size bytes; 0 ends that. Linux would let routers make fragments of what is
// sent in one piece, and they would not say that it is too large for them. So it is forbidden as long as nobody has.
func (w *port) cut(size int) bool {
	if w.size == size {
		return true
	}
	if unix.SetsockoptInt(w.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, size) != nil {
		w.single = true // before Linux 4.18
		return false
	}
	w.size = size
	discover := unix.IP_PMTUDISC_DO
	if size == 0 {
		discover = unix.IP_PMTUDISC_WANT
	}
	level, option := unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER // whose values are the same
	if w.is4 {
		level, option = unix.IPPROTO_IP, unix.IP_MTU_DISCOVER
	}
	return unix.SetsockoptInt(w.fd, level, option, discover) == nil
}

func (w *port) mtu() int {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_MTU
	if w.is4 {
		level, option = unix.IPPROTO_IP, unix.IP_MTU
	}
	n, err := unix.GetsockoptInt(w.fd, level, option)
	if err != nil {
		return 0
	}
	return n
}

func (w *port) close() { unix.Close(w.fd) }

// pathMTU asks for the MTU of a path by a socket that sends nothing.
func pathMTU(local netip.Addr, client netip.AddrPort) int {
	w, err := connect(local, client)
	if err != nil {
		return 0
	}
	defer w.close()
	return w.mtu()
}

// segmented adds to a control message that what is sent is cut into packets of size bytes.
func segmented(control []byte, size int) []byte {
	b := make([]byte, len(control)+unix.CmsgSpace(2))
	copy(b, control)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[len(control)]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&b[len(control)+unix.CmsgLen(0)])) = uint16(size)
	return b
}

// poller waits for the packets of many transfers at once, as one goroutine of package net each would cost more than
// the packets.
type poller struct {
	epoll, wakes int
	by           []*transfer // by descriptor
	events       [128]unix.EpollEvent
	in           [512]byte // longer ones are not sent by clients
}

func newPoller(func(message)) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &poller{epoll: epoll}
	if p.wakes, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := p.watch(p.wakes, unix.EPOLLET); err != nil { // each wake tells once, and nothing need be read
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) watch(fd int, how uint32) error {
	return os.NewSyscallError("epoll_ctl",
		unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | how, Fd: int32(fd)}))
}

// add has wait look at t's packets, until its wire is closed after remove.
func (p *poller) add(t *transfer) error {
	w, ok := t.wire.(*port)
	if !ok {
		return nil
	}
	for len(p.by) <= w.fd {
		p.by = append(p.by, nil)
	}
	p.by[w.fd] = t
	return p.watch(w.fd, 0)
}

func (p *poller) remove(t *transfer) {
	if w, ok := t.wire.(*port); ok && w.fd < len(p.by) {
		p.by[w.fd] = nil
	}
}

// look calls take with packets that are there, or errors, and reports whether there were any. As it does not wait, it
// need not tell Go's scheduler that it might, see write.
func (p *poller) look(take func(*transfer, []byte, error)) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), 0, 0, 0)
	if errno != 0 || n == 0 {
		return false
	}
	p.take(int(n), take)
	return true
}

// wait is look once there is something, after at most d, or when wake was called.
func (p *poller) wait(d time.Duration, take func(*transfer, []byte, error)) {
	// Rounded up: a timer must have run out.
	timeout := int(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
	n, err := unix.EpollWait(p.epoll, p.events[:], max(timeout, 0))
	if err != nil {
		return // EINTR
	}
	p.take(n, take)
}

// take hands on what the first n events are about.
func (p *poller) take(n int, take func(*transfer, []byte, error)) {
	for i := range n {
		fd := int(p.events[i].Fd)
		if fd == p.wakes {
			continue
		}
		t := p.by[fd]
		if t == nil {
			continue // its transfer has just ended
		}
		n, err := t.wire.(*port).read(p.in[:])
		if err == unix.EAGAIN {
			continue // its checksum was wrong
		}
		take(t, p.in[:n], err)
	}
}

// wake ends a wait, from any goroutine.
func (p *poller) wake() { _, _ = unix.Write(p.wakes, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (p *poller) close() {
	unix.Close(p.wakes)
	unix.Close(p.epoll)
}
