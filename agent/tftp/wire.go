package tftp

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// wire is a transfer's way to its client. One goroutine at a time uses it.
type wire interface {
	// send sends packets that follow each other in b, of size bytes each; the last may be shorter.
	send(b []byte, size int) error
	// mtu is the largest packet that the path to the client takes in one piece, with all headers; 0 if that is not known.
	mtu() int
	close()
}

const (
	maxSegments = 64    // packets of one send: older kernels' UDP_MAX_SEGMENTS
	maxSend     = 65507 // bytes of one send: UDP's longest payload over IPv4
)

// maySend is how many packets of size bytes go in one send.
func maySend(size int) int { return max(1, min(maxSegments, maxSend/size)) }

// notWhole: several packets in one send are more than the device or the path takes.
func notWhole(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EMSGSIZE)
}

// shared is a transfer's part in the listening socket (single port). What comes from its client is put in by the
// goroutine that reads the socket.
type shared struct {
	sock    *socket
	local   netip.AddrPort
	client  netip.AddrPort
	control []byte // names the address to send from
	several []byte // the same for packets of size bytes in one send
	size    int
	single  bool // packets go one at a time
	refused func()
}

// share is for a client. refused is called when the system has news of packets that did not arrive.
func (s *socket) share(local, client netip.AddrPort, refused func()) *shared {
	return &shared{sock: s, local: local, client: client, control: s.control(local.Addr()), refused: refused}
}

func (w *shared) send(b []byte, size int) error {
	if len(b) > size && !w.single {
		if w.size != size {
			w.size, w.several = size, segmented(w.control, size)
		}
		if w.several != nil {
			err := w.write(b, w.several)
			if !notWhole(err) {
				return err
			}
		}
		w.single = true
	}
	return oneByOne(b, size, func(p []byte) error { return w.write(p, w.control) })
}

// write sends once more where the error was another client's, which the system tells at the next send. A second one is
// as if the packet were lost.
func (w *shared) write(b, control []byte) error {
	for range 2 {
		_, _, err := w.sock.conn.WriteMsgUDPAddrPort(b, control, w.client)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		w.refused()
	}
	return nil
}

func (w *shared) mtu() int { return pathMTU(w.local.Addr(), w.client) }

func (w *shared) close() {}

// zoneIndex is the index of an interface that is named by its name or its index.
func zoneIndex(name string) uint32 {
	if name == "" {
		return 0
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n)
	}
	if ifi, err := net.InterfaceByName(name); err == nil {
		return uint32(ifi.Index)
	}
	return 0
}

// zoneName is what package net calls that interface.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		return ifi.Name
	}
	return strconv.Itoa(int(index))
}

// oneByOne sends packets of size bytes, of which the last may be shorter.
func oneByOne(b []byte, size int, send func([]byte) error) error {
	for {
		n := min(size, len(b))
		if err := send(b[:n]); err != nil {
			return err
		}
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
}
