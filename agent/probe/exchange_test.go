package probe

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
)

// scripted is a way on which packets come, one after the other, as soon as the first question was sent.
func scripted(packets [][]byte) *way {
	sent, closed := make(chan struct{}), make(chan struct{})
	asked := false
	return &way{
		name: viaRaw,
		send: func(message, []byte) error {
			if !asked {
				asked = true
				close(sent)
			}
			return nil
		},
		receive: func(buf []byte) ([]byte, netip.AddrPort, error) {
			select {
			case <-sent:
			case <-closed:
				return nil, netip.AddrPort{}, net.ErrClosed
			}
			if len(packets) == 0 {
				<-closed
				return nil, netip.AddrPort{}, net.ErrClosed
			}
			n := copy(buf, packets[0])
			packets = packets[1:]
			return buf[:n], netip.AddrPortFrom(first, portServer), nil
		},
		close: func() error { close(closed); return nil },
	}
}

// exchanged is a whole exchange of two clients in which these packets come.
func exchanged(t *testing.T, packets [][]byte) *exchange {
	x := &exchange{quiet: time.Second, limit: 2 * time.Second, accept: []byte{typeOffer}}
	for i, c := range []firmware.Client{firmware.ClientBIOS, firmware.ClientHTTP64} {
		x.asks = append(x.asks, &ask{message: message{client: c, typ: typeDiscover, xid: 0xcafe + uint32(i),
			mac: [6]byte{2, 0, 0, 0, 0, 1}}, schedule: resend})
	}
	synctest.Test(t, func(t *testing.T) {
		x.ways = []*way{scripted(packets)}
		if err := x.run(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return x
}

// A server for each answer: those beyond what is kept are not waited for either.
func TestServersAreBounded(t *testing.T) {
	var packets [][]byte
	for i := range 500 {
		p := answer(typeOffer, "a")
		binary.BigEndian.PutUint32(p[headerLen+5:], uint32(0x0a000001+i))
		packets = append(packets, p)
	}
	x := exchanged(t, packets)
	if len(x.servers) != maxOffers || len(x.heard) != maxOffers || len(x.asks[0].heard) != maxOffers {
		t.Errorf("%d servers, %d offers, %d servers of the first client", len(x.servers), len(x.heard), len(x.asks[0].heard))
	}
}

// A panic where answers are read is the probe's error, and does not end more than that.
func TestPanicIsTheProbesError(t *testing.T) {
	x := &exchange{quiet: time.Second, limit: time.Second, accept: []byte{typeOffer},
		guard: guard.New(slog.New(slog.DiscardHandler)),
		asks:  []*ask{{message: message{client: firmware.ClientBIOS, typ: typeDiscover}, schedule: resend}}}
	synctest.Test(t, func(t *testing.T) {
		w := scripted(nil)
		w.receive = func([]byte) ([]byte, netip.AddrPort, error) { panic("a panic of the receiver") }
		x.ways = []*way{w}
		var p *guard.Panic
		if err := x.run(t.Context()); !errors.As(err, &p) || p.Part != guard.Probe {
			t.Errorf("error is %v", err)
		}
	})
}

// FuzzExchange cuts data into packets, each behind its length in two bytes, and lets them come to two clients that ask.
func FuzzExchange(f *testing.F) {
	join := func(packets ...[]byte) (b []byte) {
		for _, p := range packets {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
		}
		return b
	}
	cookie, hlen := answer(typeOffer, "a"), answer(typeOffer, "a")
	cookie[236], hlen[2] = 0, 16
	other := answer(typeOffer, "", text(67, "http://10.77.0.7/ipxe.efi"), text(60, "HTTPClient"))
	other[7]++ // the second client's xid
	f.Add(join(answer(typeOffer, "undionly.kpxe"), other))
	f.Add(join(cookie, hlen, answer(typeACK, "a"), answer(typeOffer, "")[:headerLen+4], nil, []byte{2}))
	f.Add(join(answer(typeOffer, "", text(60, "PXEClient"), text(43, "\x06\x01\x08\x09\x05\x00\x02\x02ab\xff"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		var packets [][]byte
		for len(data) >= 2 {
			n := min(int(binary.BigEndian.Uint16(data)), len(data)-2)
			packets, data = append(packets, data[2:2+n]), data[2+n:]
		}
		x := exchanged(t, packets)
		r := Report{Offers: x.offers(), Notes: x.notes}
		for _, a := range x.asks {
			r.Asked = append(r.Asked, Asked{Client: a.client, Sent: a.sent, Took: firmware.Seconds(a.took)})
			if a.sent == 0 || len(r.Of(a.client)) > maxOffers {
				t.Errorf("%s: asked %d times, %d offers", a.client, a.sent, len(r.Of(a.client)))
			}
		}
		if len(r.Offers) > len(packets) || len(r.Notes) > maxOffers {
			t.Errorf("%d offers and %d notes of %d packets", len(r.Offers), len(r.Notes), len(packets))
		}
		for _, o := range r.Offers {
			if !o.Server.Is4() || o.From != first || !slices.ContainsFunc(x.asks, func(a *ask) bool {
				return a.client == o.Client
			}) {
				t.Errorf("%+v", o)
			}
		}
		for _, f := range Judge(dhcp.Boot{}, r) {
			if f.Text == "" || len(f.Clients) == 0 || f.Level.rank() < 0 {
				t.Errorf("%+v", f)
			}
		}
		b := bootServers{clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientHTTP64}, offers: r.Offers}
		for _, a := range b.next() {
			if a.to.Port() != portPXE || Local(a.to.Addr()) {
				t.Errorf("asks %s", a.to)
			}
		}
	})
}

// pinging is a way to a server that answers its first question after a second, and drops what comes before that.
func pinging() *way {
	answers, closed := make(chan []byte, 10), make(chan struct{})
	begun := false
	var pinged atomic.Bool
	return &way{
		name: viaRaw,
		send: func(_ message, b []byte) error {
			switch ask := slices.Clone(b); {
			case pinged.Load():
				answers <- offerTo(ask, "file")
			case !begun:
				begun = true
				time.AfterFunc(time.Second, func() { pinged.Store(true); answers <- offerTo(ask, "file") })
			}
			return nil
		},
		receive: func(buf []byte) ([]byte, netip.AddrPort, error) {
			select {
			case b := <-answers:
				return buf[:copy(buf, b)], netip.AddrPortFrom(first, portServer), nil
			case <-closed:
				return nil, netip.AddrPort{}, net.ErrClosed
			}
		},
		close: func() error { close(closed); return nil },
	}
}

// What a server drops while it pings is asked again as soon as its first answer comes, and not only when it is due.
func TestAskedAgainAfterALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &exchange{quiet: time.Second, limit: 6 * time.Second, accept: []byte{typeOffer}, ways: []*way{pinging()}}
		for i, c := range []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientARM64} {
			x.asks = append(x.asks, &ask{message: message{client: c, typ: typeDiscover, xid: 0xcafe + uint32(i),
				mac: [6]byte{2, 0, 0, 0, 0, 1}}, schedule: resend})
		}
		if err := x.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, a := range x.asks {
			if want := min(i+1, 2); a.sent != want || a.took != time.Second {
				t.Errorf("%s: asked %d times and answered after %v; want %d times, and 1s", a.client, a.sent, a.took, want)
			}
		}
	})
}
