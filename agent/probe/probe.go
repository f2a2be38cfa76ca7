// Package probe asks a network's DHCP servers what they tell machines about
// network boot, as such machines would, and says what is wrong with the answers.
// It sends DHCPDISCOVER and never DHCPREQUEST to a DHCP server, so no address is leased.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
)

// Errors of Run that a caller can tell apart.
var (
	// ErrPermission: a raw socket or a low port needs a capability; the error says which and how to grant it.
	ErrPermission = errors.New("permission denied")
	// ErrNoDevice: no such interface, or one that is down or not Ethernet.
	ErrNoDevice = errors.New("no usable interface")
	// ErrNoAddress: the interface has no IPv4 address and this way of asking needs one.
	ErrNoAddress = errors.New("no IPv4 address")
	// ErrPortTaken: the port to which answers come is somebody else's, and there is no other way to hear them.
	ErrPortTaken = errors.New("port is taken")
)

// Defaults of Config.
const (
	DefaultQuiet = 1500 * time.Millisecond
	DefaultLimit = 6 * time.Second
)

// AnyPort is a port that the system chooses.
const AnyPort = -1

// Config says whom to ask, as whom and for how long.
type Config struct {
	// Device is the local interface on the network. Required, except with Server.
	Device string
	// MAC is the hardware address for all clients. nil: one made from the device's own, locally administered
	// and always the same, so that a pool gives every probe of this machine the same address.
	MAC net.HardwareAddr
	// Clients to be asked as; none: all.
	Clients []firmware.Client
	// Quiet is how long nothing new must come before the offers are taken to be complete; 0: DefaultQuiet. A second server
	// that pings an address before it offers it is later than the first: ISC dhcpd 1 s, dnsmasq 3 s.
	Quiet time.Duration
	// Limit is how long to wait for a first offer; 0: DefaultLimit. No probe takes longer than Limit and Quiet, and where
	// a proxyDHCP server has to be asked on port 4011, some seconds more.
	Limit time.Duration
	// Enough ends the probe once it says so of the offers so far, before any quiet; nil: nothing does.
	Enough func([]firmware.Offer) bool
	// Server, if valid, is asked alone and by unicast, as a relay agent asks for a machine behind it
	// (RFC 2131 section 4.1). Port 0 is 67. It needs no raw socket.
	Server netip.AddrPort
	// Relay is the address that Server is to answer to and by which it chooses the network (giaddr): one of
	// this machine's. Invalid: the one from which Server is reached, or that of Device.
	Relay netip.Addr
	// RelayPort is the port that answers to a relay come to; 0: 67, which is where DHCP servers send them; AnyPort: one
	// that is free, for a stand-in that answers the port it was asked from.
	RelayPort int
	Guard     *guard.Guard // makes a panic the probe's error; nil: nothing does
}

// Report is what a probe found.
type Report struct {
	Device string           `json:"device,omitempty"`
	Server netip.AddrPort   `json:"asked_server,omitzero"` // only with Config.Server
	MAC    string           `json:"mac"`
	Start  time.Time        `json:"start"`
	Took   firmware.Seconds `json:"took_seconds"`
	Asked  []Asked          `json:"asked"`
	Offers []firmware.Offer `json:"offers"` // by client, then in the order of server and what they say
	Notes  []string         `json:"notes"`  // what hindered the probe, one sentence each
}

// Asked is one client's part in a probe.
type Asked struct {
	Client firmware.Client  `json:"client"`
	Sent   int              `json:"sent"`         // DISCOVERs; each goes out in every way that there is and counts once
	Took   firmware.Seconds `json:"took_seconds"` // from the first DISCOVER to the first offer; 0 where none came
}

// Of is the offers to one client.
func (r Report) Of(c firmware.Client) []firmware.Offer {
	return slices.DeleteFunc(slices.Clone(r.Offers), func(o firmware.Offer) bool { return o.Client != c })
}

// Leading are the offers by which machines are led. A relay agent asks one server; where that leases nothing, since it
// does proxyDHCP, another is taken to lease addresses.
func (r Report) Leading() []firmware.Offer { return append(r.elsewhere(), r.Offers...) }

// elsewhere are the leases of a server that was not asked.
func (r Report) elsewhere() (leases []firmware.Offer) {
	if !r.Server.IsValid() {
		return nil
	}
	for _, a := range r.Asked {
		offers := r.Of(a.Client)
		if len(offers) > 0 && !slices.ContainsFunc(offers, func(o firmware.Offer) bool { return !o.Proxy }) {
			leases = append(leases, firmware.Offer{Client: a.Client})
		}
	}
	return leases
}

// Run asks. An offer that does not come is not an error: see Judge. Where ctx ends the probe, the error is that of ctx.
// All sockets are opened on the calling goroutine, which may be locked to a thread in a network namespace.
func Run(ctx context.Context, cfg Config) (r Report, err error) {
	err = cfg.Guard.Do(guard.Probe, func() (err error) {
		r, err = cfg.run(ctx)
		return err
	})
	return r, err
}

func (cfg Config) run(ctx context.Context) (Report, error) {
	if len(cfg.Clients) == 0 {
		cfg.Clients = firmware.Clients()
	}
	if cfg.Quiet <= 0 {
		cfg.Quiet = DefaultQuiet
	}
	if cfg.Limit <= 0 {
		cfg.Limit = DefaultLimit
	}
	r := Report{Device: cfg.Device, Server: cfg.Server, Start: time.Now(), Offers: []firmware.Offer{}, Notes: []string{}}
	var dev *net.Interface
	if cfg.Device != "" {
		var err error
		if dev, err = device(cfg.Device); err != nil {
			return r, err
		}
	}
	mac, err := cfg.mac(dev)
	if err != nil {
		return r, err
	}
	r.MAC = net.HardwareAddr(mac[:]).String()

	var ways []*way
	template := message{typ: typeDiscover, mac: mac, broadcast: true}
	if cfg.Server.IsValid() {
		w, giaddr, err := openRelay(cfg, dev)
		if err != nil {
			return r, err
		}
		ways, template.giaddr = []*way{w}, giaddr
	} else if dev == nil {
		return r, fmt.Errorf("%w: none is named, and no server either", ErrNoDevice)
	} else if ways, r.Notes, err = openBroadcast(dev, mac, r.Notes); err != nil {
		return r, err
	}

	asks := make([]*ask, 0, len(cfg.Clients))
	for _, c := range cfg.Clients {
		m := template
		m.client, m.xid = c, newXID(asks)
		asks = append(asks, &ask{message: m, schedule: resend})
	}
	x := exchange{ways: ways, asks: asks, quiet: cfg.Quiet, limit: cfg.Limit, accept: []byte{typeOffer},
		enough: cfg.Enough, guard: cfg.Guard}
	if err := x.run(ctx); err != nil {
		return r, fmt.Errorf("asking for offers: %w", err)
	}
	for _, a := range asks {
		r.Asked = append(r.Asked, Asked{Client: a.client, Sent: a.sent, Took: firmware.Seconds(a.took)})
	}
	r.Notes = append(r.Notes, x.notes...)
	r.Offers = x.offers()
	b := bootServers{template: template, clients: cfg.Clients, offers: r.Offers, leases: r.elsewhere(), guard: cfg.Guard}
	b.open = func(server netip.Addr) (*way, netip.Addr, error) { return openProxy(dev, server) }
	if cfg.Server.IsValid() {
		b.open = func(server netip.Addr) (*way, netip.Addr, error) { return openRelayed(template.giaddr, server) }
	}
	if err := b.ask(ctx); err != nil {
		return r, err
	}
	r.Offers, r.Notes = b.offers, append(r.Notes, b.notes...)
	slices.SortStableFunc(r.Offers, compareOffers)
	r.Took = firmware.Seconds(time.Since(r.Start))
	return r, nil
}

// device finds an interface on which DHCP can be spoken.
func device(name string) (*net.Interface, error) {
	dev, err := net.InterfaceByName(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %q: %w", ErrNoDevice, name, err)
	case len(dev.HardwareAddr) != 6:
		return nil, fmt.Errorf("%w: %q has no Ethernet address", ErrNoDevice, name)
	case dev.Flags&net.FlagUp == 0:
		return nil, fmt.Errorf("%w: %q is down", ErrNoDevice, name)
	}
	return dev, nil
}

// mac is the hardware address to ask with.
func (c Config) mac(dev *net.Interface) (mac [6]byte, err error) {
	switch {
	case len(c.MAC) == 6:
		copy(mac[:], c.MAC)
		return mac, nil
	case c.MAC != nil:
		return mac, fmt.Errorf("MAC %s: want 6 bytes", c.MAC)
	case dev == nil:
		_, err = rand.Read(mac[:])
	default:
		h := fnv.New64a()
		h.Write(dev.HardwareAddr)
		copy(mac[:], h.Sum(nil))
	}
	mac[0] = mac[0]&^1 | 2 // one machine's, locally administered
	return mac, err
}

// newXID is a transaction number that no other ask has. The answers are told apart by it, so it cannot be guessed.
func newXID(asks []*ask) uint32 {
	for {
		var b [4]byte
		rand.Read(b[:]) // never fails: crypto/rand
		xid := binary.BigEndian.Uint32(b[:])
		if !slices.ContainsFunc(asks, func(a *ask) bool { return a.xid == xid }) {
			return xid
		}
	}
}
