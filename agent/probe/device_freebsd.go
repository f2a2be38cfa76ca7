package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// cutBPF's numbers are those of this platform, or this does not compile.
var (
	_ [bpfCaplenAt]byte  = [unsafe.Offsetof(unix.BpfHdr{}.Caplen)]byte{}
	_ [bpfDatalenAt]byte = [unsafe.Offsetof(unix.BpfHdr{}.Datalen)]byte{}
	_ [bpfHdrlenAt]byte  = [unsafe.Offsetof(unix.BpfHdr{}.Hdrlen)]byte{}
	_ [bpfAlign]byte     = [unsafe.Sizeof(int(0))]byte{}
)

// bpfDevice is an open /dev/bpf, bpf(4), bound to one interface. Its reads return after readWait at the latest, so that
// it can be closed: a close does not end a read that another thread waits in.
type bpfDevice struct {
	fd     int
	closed atomic.Bool
	using  sync.Mutex // held while a read lasts
	reader bpfReader
}

var readWait = unix.Timeval{Usec: 50_000}

// openRaw opens a device of bpf that hears what this machine sends as well: a DHCP server here may answer by a device
// of its own. What it hears is what the interface takes anyway, since promiscuous mode would take all; the DISCOVERs
// ask for answers by broadcast.
func openRaw(dev *net.Interface) (*way, error) {
	fd, err := unix.Open("/dev/bpf", unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%w: /dev/bpf: run as root, or let a group read and write it, devfs.rules(5)", ErrPermission)
	case err != nil:
		return nil, &fs.PathError{Op: "open", Path: "/dev/bpf", Err: err}
	}
	d := &bpfDevice{fd: fd}
	if err := d.setUp(dev); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("preparing /dev/bpf for %s: %w", dev.Name, err)
	}
	return &way{name: viaRaw, send: d.send, receive: d.receive, close: d.close}, nil
}

// setUp binds the device. The filter comes first: without one each frame of the interface would fill the buffer.
func (d *bpfDevice) setUp(dev *net.Interface) error {
	raw, err := bpf.Assemble(toClientPort)
	if err != nil {
		return fmt.Errorf("assembling a packet filter: %w", err)
	}
	filter := make([]unix.BpfInsn, len(raw))
	for i, r := range raw {
		filter[i] = unix.BpfInsn{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.BpfProgram{Len: uint32(len(filter)), Insns: &filter[0]}
	var ifreq struct { // net/if.h
		name [unix.IFNAMSIZ]byte
		_    [16]byte
	}
	copy(ifreq.name[:len(ifreq.name)-1], dev.Name)
	yes, size, wait := uint32(1), uint32(0), readWait
	if err := errors.Join(
		ioctl(d.fd, unix.BIOCSETF, &program),
		ioctl(d.fd, unix.BIOCIMMEDIATE, &yes), // a read returns with the first frame, not with a full buffer
		ioctl(d.fd, unix.BIOCSHDRCMPLT, &yes), // the sender's MAC is the frame's
		ioctl(d.fd, unix.BIOCSRTIMEOUT, &wait),
		ioctl(d.fd, unix.BIOCSETIF, &ifreq),
		ioctl(d.fd, unix.BIOCGBLEN, &size),
	); err != nil {
		return err
	}
	d.reader = bpfReader{buf: make([]byte, size), read: func(b []byte) (int, error) { return unix.Read(d.fd, b) }}
	return nil
}

func ioctl[T any](fd int, request uint, arg *T) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(arg)))
	if errno != 0 {
		return os.NewSyscallError(fmt.Sprintf("ioctl %#x", request), errno)
	}
	return nil
}

func (d *bpfDevice) send(m message, b []byte) error {
	_, err := unix.Write(d.fd, frame(m.mac, b))
	return err
}

func (d *bpfDevice) receive([]byte) ([]byte, netip.AddrPort, error) {
	d.using.Lock()
	defer d.using.Unlock()
	for !d.closed.Load() {
		frame, err := d.reader.next()
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN), err == nil && frame == nil:
			continue
		case err != nil:
			return nil, netip.AddrPort{}, err
		}
		return parseFrame(frame)
	}
	return nil, netip.AddrPort{}, net.ErrClosed
}

func (d *bpfDevice) close() error {
	d.closed.Store(true)
	d.using.Lock()
	defer d.using.Unlock()
	return unix.Close(d.fd)
}
