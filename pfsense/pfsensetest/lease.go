package pfsensetest

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// leases are the addresses of one interface that were offered, by MAC, and those that were leased.
type leases struct {
	offered map[string]netip.Addr
	taken   map[netip.Addr]bool
}

// find is the address for a on the interface with this section, and whose settings apply. ok is false if a gets none:
// no address is free, or the pools do not admit it.
func (l *leases) find(section Tree, a asker) (addr netip.Addr, p place, ok bool) {
	p.section = section
	for _, m := range section.List("staticmap") {
		if mac, _ := m.Text("mac"); strings.EqualFold(mac, a.mac) {
			p.mapping = m
			if text, _ := m.Text("ipaddr"); text != "" {
				addr, err := netip.ParseAddr(text)
				return addr, p, err == nil
			}
		}
	}
	pools := append([]Tree{section}, section.List("pool")...)
	within := func(addr netip.Addr) (Tree, bool) {
		i := slices.IndexFunc(pools, func(pool Tree) bool {
			from, to := poolRange(pool)
			return addr.IsValid() && from.IsValid() && !addr.Less(from) && !to.Less(addr) && lets(pool, a.mac, p.mapping != nil)
		})
		if i < 0 {
			return nil, false
		}
		return pools[i], true
	}
	take := func(addr netip.Addr, pool Tree) (netip.Addr, place, bool) {
		if _, p.own = pool["enable"]; !p.own {
			p.pool = pool
		}
		l.offered[a.mac] = addr
		return addr, p, true
	}
	free := func(addr netip.Addr) bool {
		return !l.taken[addr] && !slices.Contains(slices.Collect(maps.Values(l.offered)), addr)
	}
	if had, known := l.offered[a.mac]; known {
		if pool, in := within(had); in {
			return take(had, pool)
		}
		delete(l.offered, a.mac)
	}
	if pool, in := within(a.requested); in && free(a.requested) {
		return take(a.requested, pool)
	}
	for _, pool := range pools {
		from, to := poolRange(pool)
		if !from.IsValid() || !lets(pool, a.mac, p.mapping != nil) {
			continue
		}
		for addr := from; !to.Less(addr); addr = addr.Next() {
			if free(addr) {
				return take(addr, pool)
			}
		}
	}
	return netip.Addr{}, p, false
}

func poolRange(pool Tree) (from, to netip.Addr) {
	first, _ := pool.Text("range/from")
	last, _ := pool.Text("range/to")
	from, err := netip.ParseAddr(first)
	to, err2 := netip.ParseAddr(last)
	if err != nil || err2 != nil {
		return netip.Addr{}, netip.Addr{}
	}
	return from, to
}

// lets reports whether pool answers this MAC: by whether it denies unknown clients, and by its lists of MAC prefixes.
func lets(pool Tree, mac string, known bool) bool {
	if deny, there := pool.Text("denyunknown"); there && deny != "disabled" && !known {
		return false
	}
	listed := func(name string) (listed, any bool) {
		text, _ := pool.Text(name)
		for begin := range strings.SplitSeq(text, ",") {
			if begin = strings.TrimSpace(begin); begin != "" {
				any = true
				listed = listed || strings.HasPrefix(strings.ToLower(mac), strings.ToLower(begin))
			}
		}
		return listed, any
	}
	if allowed, any := listed("mac_allow"); any && !allowed {
		return false
	}
	denied, _ := listed("mac_deny")
	return !denied
}
