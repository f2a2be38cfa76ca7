package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
)

// portPXE is where a proxyDHCP or boot server is asked for the boot file (PXE specification 2.1).
const portPXE = 4011

// optBootItem is the sub-option of option 43 that says what type of boot server is asked for (PXE specification 2.1).
const optBootItem = 71

// maxRounds is how often a client's next question may follow from an answer: a proxyDHCP server sends a menu, whose
// first line names a boot server.
const maxRounds = 3

// proxyLimit bounds a round of questions to port 4011. Who listens there answers at once.
const proxyLimit = 2 * time.Second

var proxyResend = []time.Duration{400 * time.Millisecond, 1 * time.Second}

// bootServers puts the questions to port 4011 that firmware would put after the offers that it got.
type bootServers struct {
	// open opens the way to a server, from an address of this machine's, which it returns. ErrNoAddress: it cannot be
	// asked from here.
	open     func(server netip.Addr) (*way, netip.Addr, error)
	template message
	clients  []firmware.Client
	offers   []firmware.Offer // what was heard; answers are added, and one that is Silent for each question without any
	leases   []firmware.Offer // of servers that were not asked
	notes    []string
	guard    *guard.Guard
}

// ask asks. By its type a question is a DHCPREQUEST, but port 4011 leases nothing: the answer is a file name. The
// address in it is this machine's own, which the device therefore must have. Firmware may also look for a boot server
// by multicast, or by broadcast to port 67; that is not followed, since a DHCPREQUEST to port 67 could lease an
// address.
func (b *bootServers) ask(ctx context.Context) error {
	for range maxRounds {
		ways, asks, err := b.ways(b.next())
		if err != nil {
			return fmt.Errorf("opening a socket for port %d: %w", portPXE, err)
		}
		if len(asks) == 0 {
			return nil
		}
		x := exchange{
			ways: ways, asks: asks, limit: proxyLimit, quiet: time.Second, single: true,
			accept: []byte{typeACK, typeOffer}, guard: b.guard,
		}
		if err := x.run(ctx); ctx.Err() != nil {
			return fmt.Errorf("asking port %d: %w", portPXE, ctx.Err())
		} else if err != nil {
			x.note("asking port %d: %v", portPXE, err)
		}
		b.notes = append(b.notes, x.notes...)
		for _, o := range x.offers() {
			// Nothing is offered here; some servers send our own address back.
			o.Proxy, o.YourIP = true, netip.IPv4Unspecified()
			b.offers = append(b.offers, o)
		}
		for _, a := range asks {
			if len(a.heard) > 0 {
				continue
			}
			b.note("%s: %s does not answer on port %d, where firmware asks for its boot file", a.client, a.to.Addr(), portPXE)
			b.offers = append(b.offers, firmware.Offer{
				Client: a.client, Server: a.to.Addr(), From: a.to.Addr(), YourIP: netip.IPv4Unspecified(),
				NextServer: netip.IPv4Unspecified(), Proxy: true, Via: viaPXE, Ask: a.question, Silent: true,
			})
		}
	}
	return nil
}

// ways opens one way for each of this machine's addresses from which servers are asked: a device may have several, and
// a server answers those in its own network. Questions that cannot be asked from here are left out.
func (b *bootServers) ways(all []*ask) (ways []*way, asks []*ask, err error) {
	open := map[netip.Addr]bool{}
	for _, a := range all {
		w, local, err := b.open(a.to.Addr())
		switch {
		case errors.Is(err, ErrNoAddress):
			b.note("port %d of the proxyDHCP server was not asked: %v", portPXE, err)
			continue
		case err != nil:
			for _, w := range ways {
				_ = w.close()
			}
			return nil, nil, err
		case open[local]:
			_ = w.close()
		default:
			send := w.send
			w.send = func(m message, packet []byte) error {
				if m.ciaddr != local {
					return nil // another way's
				}
				return send(m, packet)
			}
			ways, open[local] = append(ways, w), true
		}
		a.ciaddr = local
		asks = append(asks, a)
	}
	return ways, asks, nil
}

// next are the questions that the clients have after what was heard so far.
func (b *bootServers) next() (asks []*ask) {
	for _, c := range b.clients {
		for _, q := range firmware.Decide(c, append(b.leases, b.offers...)).Ask {
			if q.To.Port() != portPXE || Local(q.To.Addr()) {
				b.note("%s: firmware looks for a boot server at %s, which is not followed", c, q.To)
				continue
			}
			m := b.template
			m.typ, m.broadcast, m.giaddr = typeRequest, false, netip.Addr{}
			m.client, m.xid, m.to = c, newXID(asks), q.To
			if q.Item != 0 {
				item := binary.BigEndian.AppendUint16(nil, q.Item)
				m.vendor43 = append(option(nil, optBootItem, append(item, 0, 0)...), optEnd) // layer 0
			}
			asks = append(asks, &ask{message: m, question: &q, schedule: proxyResend})
		}
	}
	return asks
}

// note keeps a sentence once.
func (b *bootServers) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(b.notes, s) {
		b.notes = append(b.notes, s)
	}
}
