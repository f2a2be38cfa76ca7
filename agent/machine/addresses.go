package machine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
)

// Range is the addresses from From to To, both included.
type Range struct{ From, To netip.Addr }

// ParseRange takes an address, a network (10.0.0.0/24) or two addresses with a dash between (10.0.0.20-10.0.0.40).
func ParseRange(s string) (Range, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return Range{a, a}, nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		if p != p.Masked() {
			return Range{}, fmt.Errorf("%q is an address within its network; want %s", s, p.Masked())
		}
		return Range{p.Addr(), last(p)}, nil
	}
	from, to, ok := strings.Cut(s, "-")
	a, errA := netip.ParseAddr(strings.TrimSpace(from))
	b, errB := netip.ParseAddr(strings.TrimSpace(to))
	r := Range{a.Unmap(), b.Unmap()}
	switch {
	case !ok, errors.Join(errA, errB) != nil, a.Zone() != "", b.Zone() != "", r.From.Is4() != r.To.Is4():
		return Range{}, fmt.Errorf(
			"invalid address %q: want one (10.0.0.7), a network (10.0.0.0/24) or a range (10.0.0.20-10.0.0.40)", s)
	case r.To.Less(r.From):
		return Range{}, fmt.Errorf("%q ends before it begins; want %s-%s", s, r.To, r.From)
	}
	return r, nil
}

// last is the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b) // of 4 or 16 bytes, as Addr gave them
	return a
}

// Contains reports whether a lies in r.
func (r Range) Contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsValid() && a.Is4() == r.From.Is4() && !a.Less(r.From) && !r.To.Less(a)
}

// Single reports whether r is one address.
func (r Range) Single() bool { return r.From == r.To }

// String is as ParseRange takes it: a network where r is one.
func (r Range) String() string {
	if r.Single() {
		return r.From.String()
	}
	for n := range r.From.BitLen() {
		if p := netip.PrefixFrom(r.From, n); p == p.Masked() && last(p) == r.To {
			return p.String()
		}
	}
	return r.From.String() + "-" + r.To.String()
}

// MarshalText is String.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// width is the number of addresses less one, in two halves.
type width struct{ high, low uint64 }

func (r Range) width() width {
	from, to := r.From.As16(), r.To.As16()
	low, borrow := bits.Sub64(binary.BigEndian.Uint64(to[8:]), binary.BigEndian.Uint64(from[8:]), 0)
	high, _ := bits.Sub64(binary.BigEndian.Uint64(to[:8]), binary.BigEndian.Uint64(from[:8]), borrow)
	return width{high, low}
}

func (w width) compare(o width) int {
	return cmp.Or(cmp.Compare(w.high, o.high), cmp.Compare(w.low, o.low))
}
