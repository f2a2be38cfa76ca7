package machine

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"pxeagent/agent/boot"
)

// NBP is a boot file that a host or profile has in place of the one that DHCP names.
type NBP struct {
	Of   string // for people: "host node-01", "profile secure"
	Key  string // where it stands in the configuration: "hosts[2].nbp", "profiles.secure.nbp"
	Name string
}

// NBPs are those of all hosts, in the file's order, then of all profiles by name.
func (b *Inventory) NBPs() []NBP {
	if b == nil {
		return nil
	}
	var all []NBP
	for i, h := range b.hosts {
		if h.NBP != "" {
			all = append(all, NBP{"host " + h.Name, fmt.Sprintf("hosts[%d].nbp", i), h.NBP})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.profiles)) {
		if p := b.profiles[name]; p.NBP != "" {
			all = append(all, NBP{"profile " + name, "profiles." + name + ".nbp", p.NBP})
		}
	}
	return all
}

// NBP is the own boot file of the machine at an address, "" where it has none. Firmware tells nothing of its machine,
// so it is known by the MAC that the network has for the address, or by the address.
func (f *Fleet) NBP(addr netip.Addr) string {
	return f.Inventory().NBPOf(f.identify(boot.Facts{}, addr).Host)
}

// NBPOf is the own boot file of the host of that name, or its profile's.
func (b *Inventory) NBPOf(host string) string {
	h, known := b.Named(host)
	if !known {
		return ""
	}
	if p, has := b.Profile(h.Profile); has && h.NBP == "" {
		return p.NBP
	}
	return h.NBP
}
