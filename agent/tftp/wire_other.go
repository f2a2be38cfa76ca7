//go:build !linux

package tftp

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// port is a socket for one transfer, connected to its client.
type port struct{ conn *net.UDPConn }

// dial opens a socket from local, with a new port, to client.
func dial(local, client netip.AddrPort) (*port, error) {
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
	return &port{conn}, nil
}

func (w *port) send(b []byte, size int) error {
	return oneByOne(b, size, func(p []byte) error { _, err := w.conn.Write(p); return err })
}

func (w *port) mtu() int { return 0 }

func (w *port) close() { w.conn.Close() }

func pathMTU(netip.Addr, netip.AddrPort) int { return 0 }

func segmented([]byte, int) []byte { return nil }

// poller has a goroutine for each socket, which reads it.
type poller struct {
	post    func(message)
	woken   chan struct{}
	readers sync.WaitGroup
}

func newPoller(post func(message)) (*poller, error) {
	return &poller{post: post, woken: make(chan struct{}, 1)}, nil
}

// add has t's packets posted until its wire is closed.
func (p *poller) add(t *transfer) error {
	w, ok := t.wire.(*port)
	if !ok {
		return nil
	}
	p.readers.Go(func() {
		var b [512]byte
		for !t.over.Load() {
			n, err := w.conn.Read(b[:])
			p.post(packetFor(t, b[:n], err))
		}
	})
	return nil
}

func (p *poller) remove(*transfer) {}

// look finds nothing, as all packets are posted.
func (p *poller) look(func(*transfer, []byte, error)) bool { return false }

// wait returns after d, or when wake was called.
func (p *poller) wait(d time.Duration, _ func(*transfer, []byte, error)) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.woken:
	case <-timer.C:
	}
}

// wake ends a wait, from any goroutine.
func (p *poller) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *poller) close() { p.readers.Wait() }
