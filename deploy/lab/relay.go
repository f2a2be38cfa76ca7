package lab

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Spoil is what happens to packets in one direction. Chances are from 0 to 1.
type Spoil struct {
	Drop, Duplicate, Reorder float64
	// Delay is added to each packet; a reordered one gets it twice and five milliseconds more.
	Delay time.Duration
}

// Relay stands between UDP clients and a server, TFTP's above all, and spoils what passes:
// in user space what netem would do, which not every kernel has. To clients it is one port. Each client has its own
// port towards the server, and what a client sends goes to where the server last sent from, except for a TFTP request,
// which goes to the server's listening port.
type Relay struct {
	server netip.AddrPort
	conn   *net.UDPConn
	up     Spoil // from the clients
	down   Spoil // to them

	mu      sync.Mutex
	chance  *rand.Rand
	clients map[netip.AddrPort]*relayed
	closed  bool
	wg      sync.WaitGroup

	// Passed, Dropped and Doubled count packets of both directions.
	Passed, Dropped, Doubled atomic.Int64
}

// relayed is the server's side of a client.
type relayed struct {
	conn *net.UDPConn
	tid  atomic.Pointer[netip.AddrPort]
}

// NewRelay starts a relay on loopback that ends with t. What it does to a packet follows from the seed
// and the order of packets.
func NewRelay(t testing.TB, server netip.AddrPort, up, down Spoil, seed uint64) *Relay {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadBuffer(1 << 20) // what is lost is to be lost by chance
	r := &Relay{
		server: server, conn: conn, up: up, down: down,
		chance: rand.New(rand.NewPCG(seed, seed)), clients: make(map[netip.AddrPort]*relayed),
	}
	r.wg.Go(r.fromClients)
	t.Cleanup(r.close)
	return r
}

// Addr is where clients find the relay.
func (r *Relay) Addr() netip.AddrPort { return r.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *Relay) close() {
	r.conn.Close()
	r.mu.Lock()
	r.closed = true
	for _, c := range r.clients {
		c.conn.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *Relay) fromClients() {
	b := make([]byte, 1<<16)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		c := r.client(from)
		if c == nil {
			return
		}
		to := r.server
		if tid := c.tid.Load(); tid != nil && (n < 2 || b[1] > 2) {
			to = *tid
		}
		r.pass(b[:n], r.up, c.conn, to)
	}
}

// client is the client's side towards the server, made with its first packet. It is nil after close.
func (r *Relay) client(from netip.AddrPort) *relayed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.clients[from]; c != nil || r.closed {
		return c
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil
	}
	_ = conn.SetReadBuffer(1 << 20)
	c := &relayed{conn: conn}
	r.clients[from] = c
	r.wg.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, tid, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			c.tid.Store(&tid)
			r.pass(b[:n], r.down, r.conn, from)
		}
	})
	return c
}

// pass sends a packet on, now, later, twice or not at all.
func (r *Relay) pass(b []byte, s Spoil, by *net.UDPConn, to netip.AddrPort) {
	r.mu.Lock()
	drop, twice, late := r.chance.Float64() < s.Drop, r.chance.Float64() < s.Duplicate, r.chance.Float64() < s.Reorder
	r.mu.Unlock()
	if drop {
		r.Dropped.Add(1)
		return
	}
	delay := s.Delay
	if late {
		delay += delay + 5*time.Millisecond
	}
	b = append([]byte(nil), b...)
	send := func() { _, _ = by.WriteToUDPAddrPort(b, to); r.Passed.Add(1) }
	for i := range 2 {
		switch {
		case i == 1 && !twice:
			return
		case i == 1:
			r.Doubled.Add(1)
		}
		if delay == 0 {
			send()
		} else {
			time.AfterFunc(delay, send)
		}
	}
}
