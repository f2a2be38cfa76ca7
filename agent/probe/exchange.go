package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
)

// resend is when a client asks again that misses an answer, counted from its first time, much as firmware does. ISC
// dhcpd, which pings for a second, has answered before.
var resend = []time.Duration{1300 * time.Millisecond, 2200 * time.Millisecond, 4 * time.Second}

// lateAfter is when an answer is late.
const lateAfter = 500 * time.Millisecond

// maxOffers is how many different offers to one client are kept.
const maxOffers = 16

// way is one way to ask and to hear.
type way struct {
	name string // for Offer.Via
	// send sends a message. It is called by one goroutine only.
	send func(m message, b []byte) error
	// receive waits for one packet to the client port; an error other than net.ErrClosed spoils that packet only.
	// nil: this way only sends.
	receive func(buf []byte) (b []byte, from netip.AddrPort, err error)
	close   func() error
}

// ask is one question and how far it has got.
type ask struct {
	message
	question *firmware.Ask   // put to a boot server; nil: a DISCOVER
	schedule []time.Duration // when to ask again
	first    time.Time
	sent     int
	took     time.Duration
	heard    map[netip.Addr]bool // servers that have answered it
	kept     int
}

// heard is one answer.
type heard struct {
	offer firmware.Offer
	ask   *ask
}

// incoming is what a receiver hands over.
type incoming struct {
	offer firmware.Offer // empty where err is set
	ask   *ask
	from  netip.AddrPort
	via   string
	err   error // the packet is ours but cannot be read
}

// serverTo is a server that has answered a client of one kind. A proxyDHCP server that answers PXE clients need not
// answer clients of UEFI HTTP boot.
type serverTo struct {
	addr netip.Addr
	http bool
}

// exchange sends asks in all ways at once and collects the answers.
type exchange struct {
	ways   []*way
	asks   []*ask
	quiet  time.Duration
	limit  time.Duration
	accept []byte // message types
	// single: each ask is to one server, and there is nothing to wait for once each has been answered.
	single bool
	enough func([]firmware.Offer) bool // ends it; nil: nothing does
	guard  *guard.Guard

	heard   []heard
	notes   []string
	servers map[serverTo]bool
	last    time.Time // of the newest answer or question
	late    time.Time // of the first answer that was late; zero: none was
}

// run closes the ways and waits for its receivers before it returns.
func (x *exchange) run(ctx context.Context) error {
	x.servers = map[serverTo]bool{}
	packets := make(chan incoming, 64)
	failed := make(chan error, len(x.ways))
	stop := make(chan struct{})
	var receivers sync.WaitGroup
	for _, w := range x.ways {
		if w.receive != nil {
			receivers.Go(func() {
				if err := x.guard.Do(guard.Probe, func() error { x.receive(w, packets, stop); return nil }); err != nil {
					failed <- err
				}
			})
		}
	}
	defer func() {
		close(stop)
		for _, w := range x.ways {
			_ = w.close()
		}
		receivers.Wait()
	}()
	start := time.Now()
	for _, a := range x.asks {
		if err := x.send(a); err != nil {
			return err
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, done := x.next(start, time.Now())
		if done {
			return nil
		}
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case p := <-packets:
			if x.take(p) && x.enough != nil && x.enough(x.offers()) {
				return nil
			}
		case now := <-timer.C:
			for _, a := range x.asks {
				if at, ok := x.due(a); ok && !at.After(now) {
					if err := x.send(a); err != nil {
						return err
					}
				}
			}
		}
	}
}

// next is when there is something to do if nothing is heard, and whether the exchange is over.
func (x *exchange) next(start, now time.Time) (time.Time, bool) {
	deadline := start.Add(x.limit)
	if len(x.heard) > 0 {
		deadline = deadline.Add(x.quiet)
	}
	var next time.Time
	missing := false
	for _, a := range x.asks {
		missing = missing || x.missing(a)
		if at, ok := x.due(a); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	end := deadline
	switch {
	case x.single && !missing:
		return now, true
	case len(x.heard) > 0 && next.IsZero():
		end = x.last.Add(x.quiet)
	}
	if end.After(deadline) {
		end = deadline
	}
	if next.IsZero() || next.After(end) {
		next = end
	}
	return next, !now.Before(end)
}

// missing reports whether a lacks an answer: any at all, or that of a server that has answered another client of its
// kind.
func (x *exchange) missing(a *ask) bool {
	if len(a.heard) == 0 || x.single {
		return len(a.heard) == 0
	}
	for s := range x.servers {
		if s.http == a.client.HTTP() && !a.heard[s.addr] {
			return true
		}
	}
	return false
}

// due is when a is to be asked again, if it is. ISC dhcpd pings an address for a second before it offers that, and
// drops what the same MAC asks meanwhile as another client: it is asked again as soon as it has answered the first one.
func (x *exchange) due(a *ask) (time.Time, bool) {
	if !x.missing(a) || a.sent == 0 || a.sent > len(a.schedule) {
		return time.Time{}, false
	}
	at := a.first.Add(a.schedule[a.sent-1])
	if a.sent == 1 && !x.late.IsZero() && x.late.Before(at) {
		at = x.late
	}
	return at, true
}

// send asks in every way. Only where none works is that an error.
func (x *exchange) send(a *ask) error {
	now := time.Now()
	if a.sent == 0 {
		a.first, a.heard = now, map[netip.Addr]bool{}
	}
	a.sent++
	a.waited = now.Sub(a.first)
	x.last = now
	b := a.bytes()
	var failed []error
	for _, w := range x.ways {
		if err := w.send(a.message, b); err != nil {
			failed = append(failed, fmt.Errorf("sending (%s): %w", w.name, err))
		}
	}
	for _, err := range failed {
		x.note("%v", err)
	}
	if len(failed) == len(x.ways) {
		return errors.Join(failed...)
	}
	return nil
}

// take keeps an answer unless it is known already, and reports whether it did.
func (x *exchange) take(p incoming) bool {
	a := p.ask
	if p.err != nil {
		x.note("%s: an answer from %s cannot be read: %v", a.client, p.from.Addr(), p.err)
		return false
	}
	h := heard{p.offer, a}
	o := &h.offer
	o.Client, o.From, o.Via, o.Ask = a.client, p.from.Addr(), p.via, a.question
	if p.via != viaRelay {
		o.Port = p.from.Port() // a relay agent sends on from its own
	}
	if o.NoServerID {
		o.Server = o.From
	}
	now := time.Now()
	o.After = firmware.Seconds(now.Sub(a.first))
	if len(a.heard) == 0 {
		a.took = now.Sub(a.first)
		if a.took >= lateAfter && x.late.IsZero() {
			x.late = now
		}
	}
	for j, known := range x.heard {
		if known.ask == a && known.offer.SaysSame(*o) {
			// Heard both ways: it is said to have come raw, which is how a machine without an address hears it.
			if o.Via == viaRaw {
				x.heard[j].offer.Via = viaRaw
			}
			return false
		}
	}
	if a.kept++; a.kept > maxOffers {
		x.note("%s: more than %d different offers; the others are left out", a.client, maxOffers)
		return false
	}
	// Only servers of offers that are kept: whoever makes up a server for each answer does not fill the memory.
	a.heard[o.Server], x.servers[serverTo{o.Server, a.client.HTTP()}] = true, true
	x.last = now
	x.heard = append(x.heard, h)
	return true
}

// note keeps a sentence once.
func (x *exchange) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(x.notes, s) && len(x.notes) < maxOffers {
		x.notes = append(x.notes, s)
	}
}

// receive hands over what answers one of the asks and drops all else, so that a busy network costs little.
func (x *exchange) receive(w *way, packets chan<- incoming, stop <-chan struct{}) {
	buf := make([]byte, 65536)
	for {
		b, from, err := w.receive(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// A spoiled packet, or a device that went down, which would fail at once again and again.
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		a := x.asked(b)
		if a == nil {
			continue
		}
		p := incoming{ask: a, from: from, via: w.name}
		if p.offer, p.err = firmware.Parse(b); p.err == nil && !slices.Contains(x.accept, p.offer.Type) {
			continue
		}
		select {
		case packets <- p:
		case <-stop:
			return
		}
	}
}

// asked is the ask that b answers by its xid and chaddr, nil where there is none. Nothing else of b has been looked at.
func (x *exchange) asked(b []byte) *ask {
	if len(b) < firmware.HeaderLen || b[0] != bootReply {
		return nil
	}
	xid, chaddr := binary.BigEndian.Uint32(b[4:]), [6]byte(b[28:34])
	for _, a := range x.asks {
		if a.xid == xid && a.mac == chaddr {
			return a
		}
	}
	return nil
}
