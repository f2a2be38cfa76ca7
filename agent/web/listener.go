package web

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits are how many connections a Listener has open at once. Each costs two descriptors: its own, and a file's.
type Limits struct {
	Total int // connections in all, 1 or more
	// PerAddress is the same from one address (IPv6: a /64), 1 or more. A whole room may be behind one NAT, and then
	// each of its machines has one connection, sometimes two: half of Total leaves the other half to everyone else.
	PerAddress int
	// Opened is called with the address of each connection within the limits, which cannot be forged; may be nil.
	Opened  func(netip.Addr)
	Refused func() // called for each connection that was beyond PerAddress; may be nil

	stall time.Duration // shorter in tests; 0: stallLimit
}

// Listener is a TCP listener that bounds what any one address, and all together, can have open. A client beyond the
// total limit waits in the kernel's queue until another has ended, since the next machine of a room that boots is not
// to be sent away; one beyond the limit of an address is disconnected. When all are in use, those that are idle
// between requests are closed.
type Listener struct {
	*net.TCPListener
	Limits
	room   chan struct{} // an element for each connection
	closed chan struct{}
	close  func() error

	idled atomic.Int64 // how often a connection became idle

	mu    sync.Mutex
	from  map[netip.Prefix]int // connections; only addresses that have some
	conns map[*conn]struct{}
}

// Limit makes a Listener of l.
func Limit(l *net.TCPListener, c Limits) *Listener {
	if c.stall == 0 {
		c.stall = stallLimit
	}
	if c.Opened == nil {
		c.Opened = func(netip.Addr) {}
	}
	if c.Refused == nil {
		c.Refused = func() {}
	}
	limited := &Listener{
		TCPListener: l, Limits: c, room: make(chan struct{}, c.Total), closed: make(chan struct{}),
		from: map[netip.Prefix]int{}, conns: map[*conn]struct{}{},
	}
	limited.close = sync.OnceValue(func() error { close(limited.closed); return l.Close() })
	return limited
}

// Close closes the listener, not its connections.
func (l *Listener) Close() error { return l.close() }

// Accept returns the next connection that is within the limits.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		if len(l.room) == cap(l.room) {
			l.closeIdle()
		}
		select {
		case l.room <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		c, err := l.AcceptTCP()
		if err != nil {
			<-l.room
			return nil, err
		}
		addr := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		admitted := &conn{TCPConn: c, stall: l.stall, listener: l, from: addressOf(addr)}
		if l.admit(admitted) {
			l.Opened(addr)
			return admitted, nil
		}
		_ = c.SetLinger(0) // nothing of it is left behind
		c.Close()
		<-l.room
		l.Refused()
	}
}

func (l *Listener) admit(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from[c.from] >= l.PerAddress {
		return false
	}
	l.from[c.from]++
	l.conns[c] = struct{}{}
	return true
}

// left is called when a connection that was admitted is closed, once or more often.
func (l *Listener) left(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, here := l.conns[c]; !here {
		return
	}
	delete(l.conns, c)
	if l.from[c.from]--; l.from[c.from] == 0 {
		delete(l.from, c.from)
	}
	<-l.room
}

// State is for http.Server's ConnState: it learns which connections are idle.
func (l *Listener) State(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	if state != http.StateIdle {
		c.idle.Store(0)
		return
	}
	c.idle.Store(l.idled.Add(1))
	if len(l.room) == cap(l.room) {
		c.Close()
	}
}

// closeIdle closes the connection that is idle for the longest time, if there is one.
func (l *Listener) closeIdle() {
	l.mu.Lock()
	var oldest *conn
	least := int64(math.MaxInt64)
	for c := range l.conns {
		if turn := c.idle.Load(); turn > 0 && turn < least {
			oldest, least = c, turn
		}
	}
	l.mu.Unlock()
	if oldest != nil {
		oldest.Close()
	}
}
