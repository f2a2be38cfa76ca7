package firmware

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// The servers and the machine of these tests: s leases, x is the other one, client is the address that is leased.
var (
	s      = netip.MustParseAddr("10.0.0.1")
	x      = netip.MustParseAddr("10.0.0.9")
	client = netip.MustParseAddr("10.0.0.50")
)

// packet is a message being made.
type packet struct {
	from    netip.Addr
	header  [HeaderLen]byte
	options []byte
	at      time.Duration
}

func message(from netip.Addr, typ byte) *packet {
	p := &packet{from: from}
	copy(p.header[:], []byte{2, 1, 6})
	copy(p.header[HeaderLen-4:], magic[:])
	return p.option(53, typ).option(54, from.AsSlice()...)
}

// lease offers the machine its address in a network of 24 bits.
func lease(from netip.Addr) *packet {
	p := message(from, 2).option(1, 255, 255, 255, 0)
	copy(p.header[16:], client.AsSlice())
	return p
}

// proxy offers no address, and says PXEClient.
func proxy(from netip.Addr) *packet { return message(from, 2).vendor("PXEClient") }

func (p *packet) option(code byte, value ...byte) *packet {
	p.options = append(append(p.options, code, byte(len(value))), value...)
	return p
}

// without takes an option away again.
func (p *packet) without(code byte) *packet {
	for i := 0; i < len(p.options); i += 2 + int(p.options[i+1]) {
		if p.options[i] == code {
			p.options = slices.Delete(p.options, i, i+2+int(p.options[i+1]))
			break
		}
	}
	return p
}

func (p *packet) vendor(class string) *packet { return p.option(60, []byte(class)...) }
func (p *packet) pxe(sub ...byte) *packet     { return p.option(43, append(sub, 255)...) }
func (p *packet) name67(name string) *packet  { return p.option(67, append([]byte(name), 0)...) }

func (p *packet) siaddr(a netip.Addr) *packet {
	copy(p.header[20:], a.AsSlice())
	return p
}

func (p *packet) file(name string) *packet {
	copy(p.header[108:236], name)
	return p
}

// boot is siaddr, the sender, and a name in the file field.
func (p *packet) boot(name string) *packet { return p.siaddr(p.from).file(name) }

func (p *packet) bytes() []byte { return append(append(p.header[:], p.options...), 255) }

func (p *packet) after(at time.Duration) *packet {
	p.at = at
	return p
}

func (p *packet) parse(t testing.TB, c Client) Offer {
	t.Helper()
	r, err := Parse(p.bytes())
	if err != nil {
		t.Fatal(err)
	}
	r.Client, r.From, r.Port, r.After = c, p.from, portDHCP, Seconds(p.at)
	return r
}

// menu is a boot menu of one line with the type, and prompt after seconds.
func menu(item uint16, seconds byte) []byte {
	return []byte{subMenu, 4, byte(item >> 8), byte(item), 1, 'x', subPrompt, 2, seconds, 'P'}
}

// servers lists one boot server of a type.
func servers(item uint16, a netip.Addr) []byte {
	return append([]byte{subServers, 7, byte(item >> 8), byte(item), 1}, a.AsSlice()...)
}

// control is discovery control.
func control(bits byte) []byte { return []byte{subControl, 1, bits} }
