package machine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pxeagent/agent/catalog"
)

// Inventory is what the configuration says of machines. It is not changed after New; the nil Inventory says nothing.
type Inventory struct {
	hosts    []Host
	profiles map[string]*Profile
	by       map[By]map[string][]int // hosts by identifier, in lower case
	ranges   []hostRange             // the smallest first
	models   []int                   // hosts that have no identifier
}

// bootsOnce reports whether some profile's machines boot its image once.
func (b *Inventory) bootsOnce() bool {
	if b == nil {
		return false
	}
	for _, p := range b.profiles {
		if p.Once {
			return true
		}
	}
	return false
}

// hostRange is an address range of a host.
type hostRange struct {
	Range
	host  int
	index int // of Host.Addresses
}

// By is what a host is known by, and says how much that weighs. The set is closed.
type By string

const (
	ByMAC     By = "mac"
	ByUUID    By = "uuid"
	BySerial  By = "serial"
	ByAsset   By = "asset"
	ByAddress By = "address"
	ByModel   By = "model" // manufacturer and product
)

// weights are in the order in which they win: each says more than all that come after it.
var weights = []By{ByMAC, ByUUID, BySerial, ByAsset, ByAddress, ByModel}

// Mistake is one thing that is wrong with hosts or profiles.
type Mistake struct {
	Host    int    // index; -1 where it is about a profile
	Profile string // name
	Field   string // "mac", "profile", …; "" for the whole
	Line    int    // where it begins, as in Host.Line and Profile.Line
	Text    string // a clause about the field's value
}

// Mistakes are New's error: all that is wrong at once.
type Mistakes []Mistake

func (ms Mistakes) Error() string {
	var b strings.Builder
	for i, m := range ms {
		if i > 0 {
			b.WriteString("; ")
		}
		if m.Host >= 0 {
			fmt.Fprintf(&b, "hosts[%d].%s: %s", m.Host, m.Field, m.Text)
		} else {
			fmt.Fprintf(&b, "profiles.%s.%s: %s", m.Profile, m.Field, m.Text)
		}
	}
	return b.String()
}

// New checks hosts and profiles and makes a Inventory of them. Its error is Mistakes: what two hosts both have, so that
// nothing says which one a machine is, a profile that is not there, text that is no name.
func New(hosts []Host, profiles []Profile) (*Inventory, error) {
	b := &Inventory{hosts: slices.Clone(hosts), profiles: map[string]*Profile{}, by: map[By]map[string][]int{}}
	var found Mistakes
	for _, p := range profiles {
		found = append(found, p.check()...)
		if other, twice := b.profiles[p.Name]; twice {
			found = append(found,
				Mistake{-1, p.Name, "", p.Line, fmt.Sprintf("duplicate profile (first on line %d)", other.Line)})
		}
		b.profiles[p.Name] = &p
	}
	for i := range b.hosts {
		found = append(found, b.add(i)...)
	}
	slices.SortStableFunc(b.ranges, func(x, y hostRange) int {
		return cmp.Or(x.width().compare(y.width()), x.From.Compare(y.From), cmp.Compare(x.host, y.host))
	})
	found = append(found, b.ties()...)
	if len(found) > 0 {
		return nil, found
	}
	for i := range b.hosts {
		b.hosts[i].Name = b.hosts[i].title()
	}
	return b, nil
}

// add files one host under all that it is known by.
func (b *Inventory) add(i int) (found Mistakes) {
	h := &b.hosts[i]
	wrong := func(field, format string, args ...any) {
		found = append(found, Mistake{i, "", field, h.Line, fmt.Sprintf(format, args...)})
	}
	if h.Name != "" && !isName(h.Name) {
		wrong("name", "invalid name %q: use letters, digits, dots, dashes and underscores, at most 64", h.Name)
	}
	for k := range h.Labels {
		if !isName(k) {
			wrong("labels", "invalid label name %q: use letters, digits, dots, dashes and underscores, at most 64", k)
		}
	}
	if _, ok := b.profiles[h.Profile]; h.Profile != "" && !ok {
		wrong("profile", "unknown profile %q%s", h.Profile, thereAre(slices.Sorted(maps.Keys(b.profiles))))
	}
	for by, texts := range map[By][]string{ByMAC: h.MACs, ByUUID: h.UUIDs, BySerial: h.Serials, ByAsset: h.Assets} {
		if b.by[by] == nil {
			b.by[by] = map[string][]int{}
		}
		for _, t := range texts {
			key := strings.ToLower(t)
			if empty(key) {
				wrong(string(by), "%q is what makers leave in boards that have none, so many machines have it", t)
			} else if !slices.Contains(b.by[by][key], i) {
				b.by[by][key] = append(b.by[by][key], i)
			}
		}
	}
	for j, r := range h.Addresses {
		b.ranges = append(b.ranges, hostRange{r, i, j})
		if h.hardware() && !r.Single() {
			wrong(
				"address",
				"%s is more than one address, and the host is known by its hardware besides; "+
					"want its own address, or a host of its own for the range",
				r,
			)
		}
	}
	if !h.hardware() && len(h.Addresses) == 0 {
		b.models = append(b.models, i)
		if h.weight() == 0 {
			wrong("", "names no machine; want mac, uuid, serial, asset, address, manufacturer or product")
		}
	}
	return found
}

// ties are pairs of hosts that a machine could both be with nothing to choose between them.
func (b *Inventory) ties() (found Mistakes) {
	tie := func(x, y int, field By, format string, args ...any) {
		x, y = min(x, y), max(x, y)
		hx, hy := &b.hosts[x], &b.hosts[y]
		if x == y || hx.weight() != hy.weight() || !model(hx.Manufacturer).meets(model(hy.Manufacturer)) ||
			!model(hx.Product).meets(model(hy.Product)) {
			return
		}
		f := string(field)
		if field == ByModel {
			f = "product"
		}
		found = append(found, Mistake{y, "", f, hy.Line,
			fmt.Sprintf(
				format,
				args...) + fmt.Sprintf(
				", as hosts[%d] has in line %d: nothing says which of the two a machine is",
				x,
				hx.Line,
			)})
	}
	for _, by := range weights[:4] {
		for _, id := range slices.Sorted(maps.Keys(b.by[by])) {
			same := b.by[by][id]
			for n, i := range same {
				for _, j := range same[n+1:] {
					tie(i, j, by, "has %q", id)
				}
			}
		}
	}
	for i, r := range b.ranges {
		for _, s := range b.ranges[i+1:] {
			if s.width() != r.width() || r.To.Less(s.From) {
				break // sorted: what comes later begins later still
			}
			if r.Contains(s.From) {
				if r.Range == s.Range {
					tie(r.host, s.host, ByAddress, "has %s", s)
				} else {
					tie(r.host, s.host, ByAddress, "has %s, which overlaps with as large a range, %s", s, r)
				}
			}
		}
	}
	for n, i := range b.models {
		for _, j := range b.models[n+1:] {
			tie(i, j, ByModel, "demands of the maker's texts as much")
		}
	}
	return found
}

// Hosts are all, in the file's order.
func (b *Inventory) Hosts() []Host {
	if b == nil {
		return nil
	}
	return slices.Clone(b.hosts)
}

// Profile is that of the name.
func (b *Inventory) Profile(name string) (Profile, bool) {
	if b == nil || b.profiles[name] == nil {
		return Profile{}, false
	}
	return *b.profiles[name], true
}

// Named is the host of that name.
func (b *Inventory) Named(name string) (Host, bool) {
	if b == nil {
		return Host{}, false
	}
	i := slices.IndexFunc(b.hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return b.hosts[i], true
}

// check is what is wrong with a profile by itself.
func (p *Profile) check() (found Mistakes) {
	wrong := func(field, format string, args ...any) {
		found = append(found, Mistake{-1, p.Name, field, p.Line, fmt.Sprintf(format, args...)})
	}
	if !isName(p.Name) {
		wrong("", "invalid name %q: use letters, digits, dots, dashes and underscores, at most 64", p.Name)
	}
	if p.Image != "" && !catalog.IsKey(p.Image) {
		wrong("image", "invalid item %q: want a key such as those that `pxeagent menu show` lists", p.Image)
	}
	if p.Image == "" {
		switch {
		case p.SkipMenu:
			wrong("menu", "is skip, and image is not set; want what is to be booted")
		case p.Once:
			wrong("when", "is once, and image is not set; want what is to be booted once")
		case p.Version != "":
			wrong("version", "is set, and image is not; want the image of which this is a version")
		}
	}
	if err := CheckArgs(p.Args); err != nil {
		wrong("args", "%v", err)
	}
	return found
}

// isName: of a host, a profile, a label. Names become parts of file names and of commands.
func isName(s string) bool { return len(s) <= 64 && catalog.IsKey(s) && !strings.ContainsAny(s, ":+") }

func thereAre(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; there are " + strings.Join(names, ", ")
}

// empty: a text that says nothing about a machine, in lower case.
func empty(id string) bool {
	switch id {
	case "",
		"0",
		"none",
		"n/a",
		"na",
		"unknown",
		"invalid",
		"default",
		"default string",
		"not specified",
		"not available",
		"not applicable",
		"to be filled by o.e.m.",
		"system serial number",
		"chassis serial number",
		"asset tag",
		"no asset tag",
		"no asset information",
		"0123456789",
		"123456789",
		"1234567890",
		"xxxxxxxxxx",
		"oem",
		"00000000-0000-0000-0000-000000000000",
		"ffffffff-ffff-ffff-ffff-ffffffffffff",
		"03000200-0400-0500-0006-000700080009",
		"00020003-0004-0005-0006-000700080009":
		return true
	}
	return strings.Trim(id, "0. -") == ""
}
