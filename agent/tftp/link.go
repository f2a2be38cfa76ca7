package tftp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/ipv4"
)

// link is a transfer's way to its client. All but wake are called by the transfer's goroutine alone.
type link interface {
	// arm sets until when read waits.
	arm(due time.Time)
	// read waits for a packet from the client. The error is os.ErrDeadlineExceeded when the time is over, maybe
	// before it, and after wake.
	read(b []byte) (int, error)
	// wake ends a read under way, or the next one unless arm comes before it.
	wake()
	write(b []byte) error
	// writeBatch sends packets whose Buffers are set.
	writeBatch(ms []ipv4.Message) error
	close()
}

// own is a socket for one transfer, connected to its client.
type own struct {
	conn  *net.UDPConn
	pc    batcher
	armed time.Time // the deadline that is set, zero if it has passed
}

// dial opens a socket from local, with a new port, to client.
func dial(local, client netip.AddrPort) (*own, error) {
	network := "udp6"
	if client.Addr().Is4() {
		network = "udp4"
	}
	from := local.Addr()
	if from.IsLinkLocalUnicast() {
		from = from.WithZone(client.Addr().Zone())
	}
	conn, err := net.DialUDP(
		network,
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)),
		net.UDPAddrFromAddrPort(client),
	)
	if err != nil {
		return nil, fmt.Errorf("opening a socket from %v to %v: %w", from, client, err)
	}
	return &own{conn: conn, pc: batching(conn, client.Addr())}, nil
}

// arm leaves a deadline alone that comes sooner: it ends the read early and is then set again. With answers that come
// in time the deadline is so set once in many packets, and not for each.
func (l *own) arm(due time.Time) {
	if l.armed.IsZero() || due.Before(l.armed) {
		l.armed = due
		_ = l.conn.SetReadDeadline(due)
	}
}

func (l *own) read(b []byte) (int, error) {
	n, err := l.conn.Read(b)
	if err != nil {
		l.armed = time.Time{}
	}
	return n, err
}

func (l *own) wake() { _ = l.conn.SetReadDeadline(time.Unix(1, 0)) }

func (l *own) write(b []byte) error { _, err := l.conn.Write(b); return err }

func (l *own) writeBatch(ms []ipv4.Message) error { return writeAll(l.pc, ms) }

func (l *own) close() { l.conn.Close() }

// shared is a transfer's part in the listening socket (single port). What comes from its client is put in by the
// goroutine that reads the socket.
type shared struct {
	sock    *socket
	client  netip.AddrPort
	addr    *net.UDPAddr // client, as Message wants it
	control []byte       // names the address to send from
	in      chan datagram
	woken   chan struct{}
	timer   *time.Timer
	armed   time.Time // as in own
}

// datagram is a packet from a client, of which only the beginning matters.
type datagram struct {
	n int
	b [64]byte
}

func (s *socket) share(local, client netip.AddrPort) *shared {
	return &shared{
		sock: s, client: client, addr: net.UDPAddrFromAddrPort(client), control: s.control(local.Addr()),
		in: make(chan datagram, 16), woken: make(chan struct{}, 1), timer: time.NewTimer(time.Hour),
	}
}

func (l *shared) arm(due time.Time) {
	if l.armed.IsZero() || due.Before(l.armed) {
		l.armed = due
		l.timer.Reset(time.Until(due))
	}
}

func (l *shared) read(b []byte) (int, error) {
	select {
	case d := <-l.in:
		return copy(b, d.b[:d.n]), nil
	case <-l.woken:
	case <-l.timer.C:
	}
	l.armed = time.Time{}
	return 0, os.ErrDeadlineExceeded
}

// put hands a packet to the transfer. If it cannot keep up the packet is lost, as on the wire.
func (l *shared) put(b []byte) {
	var d datagram
	d.n = copy(d.b[:], b)
	select {
	case l.in <- d:
	default:
	}
}

func (l *shared) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

func (l *shared) write(b []byte) error {
	_, _, err := l.sock.conn.WriteMsgUDPAddrPort(b, l.control, l.client)
	return err
}

func (l *shared) writeBatch(ms []ipv4.Message) error {
	for i := range ms {
		ms[i].Addr, ms[i].OOB = l.addr, l.control
	}
	return writeAll(l.sock.pc, ms)
}

func (l *shared) close() { l.timer.Stop() }

// writeAll sends what the system takes at once: all on Linux, elsewhere one after another.
func writeAll(pc batcher, ms []ipv4.Message) error {
	for len(ms) > 0 {
		n, err := pc.WriteBatch(ms, 0)
		if err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}
