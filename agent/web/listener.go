package web

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits are how many connections a Listener has open at once. Each costs two descriptors: its own, and a file's.
type Limits struct {
	Total int // connections in all, 1 or more
	// PerAddress is the same from one address (IPv6: a /64), 1 or more. A whole room may be behind one NAT, and then each
	// of its machines has one connection, sometimes two: half of Total leaves the other half to everyone else.
	PerAddress int
	Refused    func() // called for each connection that was beyond PerAddress; may be nil

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

	mu   sync.Mutex
	open map[netip.Prefix]int // connections; only addresses that have some
	idle map[*conn]time.Time  // since when
}

// Limit makes a Listener of l.
func Limit(l *net.TCPListener, c Limits) *Listener {
	if c.stall == 0 {
		c.stall = stallLimit
	}
	if c.Refused == nil {
		c.Refused = func() {}
	}
	limited := &Listener{
		TCPListener: l, Limits: c, room: make(chan struct{}, c.Total), closed: make(chan struct{}),
		open: map[netip.Prefix]int{}, idle: map[*conn]time.Time{},
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
		from := addressOf(c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
		if l.admit(from) {
			admitted := &conn{TCPConn: c, stall: l.stall}
			admitted.release = sync.OnceFunc(func() { l.left(admitted, from) })
			return admitted, nil
		}
		_ = c.SetLinger(0) // nothing of it is left behind
		c.Close()
		<-l.room
		l.Refused()
	}
}

func (l *Listener) admit(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] >= l.PerAddress {
		return false
	}
	l.open[from]++
	return true
}

// left is called once for each connection that was admitted.
func (l *Listener) left(c *conn, from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.left = true
	delete(l.idle, c)
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
	<-l.room
}

// State is for http.Server's ConnState: it learns which connections are idle.
func (l *Listener) State(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	l.mu.Lock()
	delete(l.idle, c)
	full := len(l.room) == cap(l.room)
	if state == http.StateIdle && !full && !c.left {
		l.idle[c] = time.Now()
	}
	l.mu.Unlock()
	if state == http.StateIdle && full {
		c.Close()
	}
}

// closeIdle closes the connection that is idle for the longest time, if there is one.
func (l *Listener) closeIdle() {
	l.mu.Lock()
	var oldest *conn
	for c, since := range l.idle {
		if oldest == nil || since.Before(l.idle[oldest]) {
			oldest = c
		}
	}
	delete(l.idle, oldest)
	l.mu.Unlock()
	if oldest != nil {
		oldest.Close()
	}
}
