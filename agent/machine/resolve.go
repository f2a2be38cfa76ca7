package machine

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/boot"
)

// Decision is which host a machine is.
type Decision struct {
	Known   bool              `json:"known"`
	Host    string            `json:"host,omitempty"`    // its name, or its first identifier
	By      By                `json:"by,omitempty"`      // what it was known by
	Value   string            `json:"value,omitempty"`   // that, as the configuration has it
	Line    int               `json:"line,omitempty"`    // of the host in the file
	Profile string            `json:"profile,omitempty"` // "": the host has none
	Labels  map[string]string `json:"labels,omitempty"`
	IDs     []ID              `json:"-"` // the request's own, then the host's
	Why     []string          `json:"why"`
	host    *Host
}

// match is one way in which a machine is a host.
type match struct {
	host  int
	by    By
	value string
	width width // ByAddress
}

// Resolve finds the host that a machine is: the one that is known by what says most. In this order: mac, uuid, serial,
// asset, the smaller range of addresses, manufacturer and product alone; where that is the same for two hosts, the one
// that demands more of manufacturer and product. New has made sure that one of any two wins.
func (b *Inventory) Resolve(f boot.Facts, addr netip.Addr) Decision {
	d := Decision{IDs: IDs(f)}
	var all []match
	if b != nil {
		all = b.matches(f, addr)
	}
	if len(all) == 0 {
		d.Why = []string{"no host of the configuration is this machine"}
		if b != nil && len(b.hosts) == 0 {
			d.Why[0] = "the configuration names no hosts"
		}
		return d
	}
	best := all[0]
	h := &b.hosts[best.host]
	d.Known, d.Host, d.By, d.Value, d.Line = true, h.Name, best.by, best.value, h.Line
	d.Profile, d.Labels, d.host = h.Profile, maps.Clone(h.Labels), h
	for _, id := range h.IDs() {
		if !slices.Contains(d.IDs, id) {
			d.IDs = append(d.IDs, id)
		}
	}
	d.Why = append(d.Why, fmt.Sprintf("host %s (line %d), by %s %s", h.Name, h.Line, best.by, best.value))
	told := []int{best.host}
	for _, m := range all[1:] {
		if slices.Contains(told, m.host) {
			continue
		}
		if told = append(told, m.host); len(told) > 4 {
			d.Why = append(d.Why, "and more hosts, which weigh less")
			break
		}
		o := &b.hosts[m.host]
		d.Why = append(d.Why,
			fmt.Sprintf("not host %s (line %d), by %s %s: %s", o.Name, o.Line, m.by, m.value, lessThan(m, best)))
	}
	if h.Profile == "" {
		d.Why = append(d.Why, "the host has no profile")
	}
	return d
}

func lessThan(m, best match) string {
	switch {
	case m.by != best.by:
		return fmt.Sprintf("%s says more than %s", best.by, m.by)
	case m.by == ByAddress && m.width != best.width:
		return "its range is larger"
	}
	return "it demands less of manufacturer and product"
}

// matches are all, the best first.
func (b *Inventory) matches(f boot.Facts, addr netip.Addr) []match {
	var all []match
	ids := func(by By, told ...string) {
		for _, t := range told {
			for _, i := range b.by[by][strings.ToLower(t)] {
				if t != "" && b.hosts[i].fits(f) {
					all = append(all, match{host: i, by: by, value: t})
				}
			}
		}
	}
	ids(ByMAC, f.MAC)
	ids(ByUUID, f.UUID, swapUUID(f.UUID))
	ids(BySerial, f.Serial)
	ids(ByAsset, f.Asset)
	for _, r := range b.ranges {
		if h := &b.hosts[r.host]; r.Contains(addr) && h.fits(f) && !h.contradicts(f) {
			all = append(all, match{host: r.host, by: ByAddress, value: r.String(), width: r.width()})
		}
	}
	for _, i := range b.models {
		if b.hosts[i].fits(f) {
			all = append(
				all,
				match{
					host:  i,
					by:    ByModel,
					value: strings.TrimSpace(b.hosts[i].Manufacturer + " " + b.hosts[i].Product),
				},
			)
		}
	}
	slices.SortStableFunc(all, func(x, y match) int {
		if n := slices.Index(weights, x.by) - slices.Index(weights, y.by); n != 0 {
			return n
		}
		if n := x.width.compare(y.width); n != 0 {
			return n
		}
		return b.hosts[y.host].weight() - b.hosts[x.host].weight()
	})
	return all
}
