package firmware

import (
	"fmt"
	"net/netip"
	"strings"
)

// Sub-options of option 175, which iPXE alone knows.
const (
	ipxePriority   = 1
	ipxeNextServer = 3
	ipxeNoProxy    = 176 // do not wait for proxyDHCP, and do not look at it
)

func (r *Offer) ipxe() map[byte][]byte {
	sub := map[byte][]byte{}
	_, _ = readOptions(r.Options[175], sub)
	return sub
}

// priority is that of an offer; it is signed, and 0 where it is missing.
func (r *Offer) priority() int8 {
	if v := r.ipxe()[ipxePriority]; len(v) > 0 {
		return int8(v[0])
	}
	return 0
}

func (r *Offer) noProxy() bool {
	v := r.ipxe()[ipxeNoProxy]
	return len(v) > 0 && v[len(v)-1] != 0
}

// ipxeOffers is what iPXE's DHCP client takes of its offers (net/udp/dhcp.c): the last of those with the best priority,
// until it asks for the address: at once where it knows of a proxyDHCP server, else at its third DISCOVER. A lease need
// not have a name. Any packet with PXEClient counts as a proxy's, a lease too.
func (d *decider) ipxeOffers() (lease, proxy int) {
	lease, proxy = -1, -1
	var since Seconds
	for i := range d.offers {
		r := &d.offers[i]
		if lease >= 0 && r.After > max(since, ipxePatience) {
			break
		}
		isLease := r.lease() && r.port() == portDHCP && (r.Type == 2 || r.Type == 0)
		if isLease && (lease < 0 || r.priority() >= d.offers[lease].priority()) {
			lease, since = i, r.After
		}
		if r.isPXE() && (proxy < 0 || r.priority() >= d.offers[proxy].priority()) {
			proxy = i
		}
		if lease >= 0 && (proxy >= 0 || d.offers[lease].noProxy()) {
			break
		}
	}
	if lease >= 0 && d.offers[lease].noProxy() {
		proxy = -1
	}
	return lease, proxy
}

// ipxe is iPXE (usr/autoboot.c and usr/pxemenu.c besides the DHCP client).
func (d *decider) ipxe() {
	lease, proxy := d.ipxeOffers()
	if lease < 0 {
		d.nothing("", "no DHCP server offers an address")
		return
	}
	d.Lease, d.Boot = lease, lease
	l := &d.offers[lease]
	blocks := []*Offer{l}
	if proxy >= 0 {
		d.Boot = proxy
		p, decided := d.ipxeProxy(&d.offers[proxy])
		if !decided {
			return
		}
		if p != nil {
			blocks = append(blocks, p)
		}
	}
	if item, menu := ipxeMenu(blocks); menu != nil {
		d.ipxeDiscover(item, menu, blocks)
		return
	}
	// The block that names the file names the server as well; the lease's comes first.
	for _, b := range blocks {
		if b.firstFile() != "" {
			if b == l {
				d.Boot = lease
			}
			d.ipxeFile(b)
			return
		}
	}
	d.Boot = lease
	d.nothing("", "%s names no boot file, nor does a proxyDHCP server", l.name())
}

// ipxeProxy is the proxy's block of settings: its offer where that has what is needed, else what port 4011 says; after
// two seconds of silence iPXE goes on without.
func (d *decider) ipxeProxy(p *Offer) (block *Offer, decided bool) {
	_, menu := p.pxe().firstItem()
	if menu || p.firstFile() != "" && !p.NextServer.IsUnspecified() {
		return p, true
	}
	server := p.server()
	if !server.IsValid() {
		server = p.port4011().Addr()
	}
	r, decided := d.answer([]Ask{{To: netip.AddrPortFrom(server, portPXE)}}, func(*Offer) bool { return true })
	if !decided {
		d.Reason = fmt.Sprintf("%s calls itself a PXE server (option 60): iPXE asks its port 4011 next", p.name())
	}
	return r, decided
}

// ipxeMenu is the boot menu that iPXE shows, nil where it shows none. A menu in any block counts, so a proxy's beats
// the lease's boot file, unless discovery control says to use the file and there is one.
func ipxeMenu(blocks []*Offer) (item uint16, menu *Offer) {
	named, use := false, false
	for _, b := range blocks {
		named = named || b.firstFile() != ""
		if !b.isPXE() {
			continue
		}
		p := b.pxe()
		use = use || p.control()&useFile != 0
		if first, has := p.firstItem(); has && menu == nil {
			item, menu = first, b
		}
	}
	if use && named {
		return 0, nil
	}
	return item, menu
}

// ipxeDiscover does what the first line of a menu stands for: it asks by multicast, by broadcast, then each server of
// the list, as far as discovery control allows. Only an answer that repeats the type counts.
func (d *decider) ipxeDiscover(item uint16, menu *Offer, blocks []*Offer) {
	p := menu.pxe()
	if seconds, has := p.timeout(); !has || seconds == waitForever {
		d.nothing("", "the boot menu of %s waits for a key for ever", menu.name())
		return
	}
	if item == 0 {
		d.nothing("", "%s sends iPXE to the local disk: that is the first line of its boot menu (option 43)", menu.name())
		return
	}
	r, decided := d.answer(p.asks(item), func(a *Offer) bool {
		asked, has := a.pxe().asked()
		return has && asked == item
	})
	switch {
	case r != nil:
		d.ipxeFile(r)
	case decided:
		d.nothing("", "%s sends iPXE to a boot server of type %d, and none answers", menu.name(), item)
	default:
		d.Reason = fmt.Sprintf("%s sends iPXE to a boot server of type %d", menu.name(), item)
	}
}

// ipxeFile ends with the file that a block names: a URL as it is, else by TFTP from siaddr. Options 54 and 66 and sname
// do not count.
func (d *decider) ipxeFile(b *Offer) {
	name := b.firstFile()
	if scheme, rest, is := strings.Cut(name, "://"); is && scheme != "" {
		d.URL, d.Reason = name, fmt.Sprintf("%s sends the URL", b.name())
		host, _, _ := strings.Cut(rest, "/")
		server, err := netip.ParseAddr(host)
		if at, portErr := netip.ParseAddrPort(host); portErr == nil {
			server, err = at.Addr(), nil
		}
		if err == nil {
			if reason := reach(kindIPXE, &d.offers[d.Lease], server); reason != "" {
				d.nothing("", "%s", reason)
			}
		}
		return
	}
	server := b.NextServer
	if v := b.ipxe()[ipxeNextServer]; len(v) == 4 {
		server = addr4(v)
	}
	if server.IsUnspecified() {
		d.nothing("", "%s names %q and no next-server (siaddr)", b.name(), name)
		return
	}
	d.fetch(kindIPXE, server, name, b)
}
