package machine

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

const (
	mac1  = "52:54:00:12:34:01"
	mac2  = "52:54:00:12:34:02"
	uuid1 = "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60"
	// swapped is uuid1 as firmware from before SMBIOS 2.6 has it.
	swapped = "6e7d1f8a-5b0c-3e4d-9f2a-1b2c3d4e5f60"
)

// ranges parses what is written as in the configuration.
func ranges(t testing.TB, texts ...string) []Range {
	t.Helper()
	var out []Range
	for _, s := range texts {
		r, err := ParseRange(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func inventory(t testing.TB, hosts []Host, profiles ...Profile) *Inventory {
	t.Helper()
	b, err := New(hosts, profiles)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheMostTellingMatchWins(t *testing.T) {
	hosts := []Host{
		{Name: "all", Addresses: ranges(t, "0.0.0.0/0"), Line: 1},
		{Name: "wide", Addresses: ranges(t, "10.0.0.0/8"), Line: 2},
		{Name: "range", Addresses: ranges(t, "10.0.0.10-10.0.0.19"), Line: 3},
		{Name: "acme range", Addresses: ranges(t, "10.0.0.10-10.0.0.19"), Manufacturer: "Acme", Line: 4},
		{
			Name:         "acme 3 range",
			Addresses:    ranges(t, "10.0.0.10-10.0.0.19"),
			Manufacturer: "Acme",
			Product:      "Server 3*",
			Line:         5,
		},
		{Name: "one", Addresses: ranges(t, "10.0.0.15"), Line: 6},
		{Name: "asset", Assets: []string{"A-1"}, Line: 7},
		{Name: "serial", Serials: []string{"S-1"}, Line: 8},
		{Name: "uuid", UUIDs: []string{uuid1}, Line: 9},
		{Name: "mac", MACs: []string{mac1, mac2}, Addresses: ranges(t, "10.0.0.16"), Line: 10},
		{Name: "make", Manufacturer: "Acme", Line: 11},
		{Name: "model", Manufacturer: "Acme", Product: "Server 30", Line: 12},
		{Name: "six", Addresses: ranges(t, "2001:db8::/64"), Line: 13},
	}
	for i := range hosts {
		hosts[i].Name = strings.ReplaceAll(hosts[i].Name, " ", "-")
	}
	b := inventory(t, hosts)
	for _, tt := range []struct {
		facts boot.Facts
		addr  string
		want  string
		by    By
	}{
		{boot.Facts{MAC: mac1, UUID: uuid1, Serial: "S-1", Asset: "A-1"}, "10.0.0.15", "mac", ByMAC},
		{boot.Facts{MAC: mac2}, "", "mac", ByMAC},
		{boot.Facts{MAC: "52:54:00:00:00:01", UUID: uuid1, Serial: "S-1"}, "10.0.0.15", "uuid", ByUUID},
		{boot.Facts{UUID: swapped}, "", "uuid", ByUUID},
		{boot.Facts{Serial: "s-1", Asset: "A-1"}, "10.0.0.15", "serial", BySerial},
		{boot.Facts{Asset: "a-1"}, "10.0.0.15", "asset", ByAsset},
		{boot.Facts{}, "10.0.0.15", "one", ByAddress},
		{boot.Facts{Manufacturer: "Acme", Product: "Server 30"}, "10.0.0.15", "one", ByAddress},
		{boot.Facts{}, "10.0.0.11", "range", ByAddress},
		{boot.Facts{Manufacturer: "ACME"}, "10.0.0.11", "acme-range", ByAddress},
		{boot.Facts{Manufacturer: "acme", Product: "server 30"}, "10.0.0.11", "acme-3-range", ByAddress},
		{boot.Facts{Manufacturer: "Acme", Product: "Server 20"}, "10.0.0.11", "acme-range", ByAddress},
		{boot.Facts{}, "10.0.0.20", "wide", ByAddress},
		{boot.Facts{}, "::ffff:10.0.0.20", "wide", ByAddress},
		{boot.Facts{}, "192.0.2.1", "all", ByAddress},
		{boot.Facts{}, "2001:db8::7", "six", ByAddress},
		{boot.Facts{Manufacturer: "Acme"}, "2001:db8:1::7", "make", ByModel},
		{boot.Facts{Manufacturer: "Acme", Product: "Server 30"}, "", "model", ByModel},
		// The address of a host that is known by its hardware speaks only for who does not say otherwise.
		{boot.Facts{}, "10.0.0.16", "mac", ByAddress},
		{boot.Facts{Serial: "x"}, "10.0.0.16", "mac", ByAddress},
		{boot.Facts{MAC: "52:54:00:00:00:01"}, "10.0.0.16", "range", ByAddress},
		{boot.Facts{}, "", "", ""},
	} {
		d := b.Resolve(tt.facts, addr(tt.addr))
		if d.Host != tt.want || d.By != tt.by || d.Known != (tt.want != "") {
			t.Errorf("%+v at %s: %s by %s, want %s by %s\n%s", tt.facts, tt.addr, d.Host, d.By, tt.want, tt.by,
				strings.Join(d.Why, "\n"))
		}
	}
}

func TestWhyAHost(t *testing.T) {
	b := inventory(t, []Host{
		{Name: "node", MACs: []string{mac1}, Profile: "p", Line: 4, Labels: map[string]string{"rack": "a1"}},
		{UUIDs: []string{uuid1}, Line: 7},
		{Addresses: ranges(t, "10.0.0.0/24"), Line: 9},
		{Addresses: ranges(t, "10.0.0.0/16"), Line: 11},
	}, Profile{Name: "p"})
	d := b.Resolve(boot.Facts{MAC: mac1, UUID: uuid1}, addr("10.0.0.1"))
	want := []string{
		"host node (line 4), by mac " + mac1,
		"not host " + uuid1 + " (line 7), by uuid " + uuid1 + ": mac says more than uuid",
		"not host 10.0.0.0/24 (line 9), by address 10.0.0.0/24: mac says more than address",
		"not host 10.0.0.0/16 (line 11), by address 10.0.0.0/16: mac says more than address",
	}
	if !slices.Equal(d.Why, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(d.Why, "\n"), strings.Join(want, "\n"))
	}
	if got, err := json.Marshal(d); err != nil || !strings.Contains(string(got), `"labels":{"rack":"a1"}`) {
		t.Errorf("%s, %v", got, err)
	}
	d.Labels["rack"] = "changed"
	if again := b.Resolve(boot.Facts{MAC: mac1}, netip.Addr{}); again.Labels["rack"] != "a1" {
		t.Error("a decision's labels are those of the inventory")
	}
	d = b.Resolve(boot.Facts{}, addr("10.0.0.1"))
	if want := "not host 10.0.0.0/16 (line 11), by address 10.0.0.0/16: its range is larger"; !slices.Contains(d.Why,
		want) {
		t.Errorf("%q, want %q", d.Why, want)
	}
	var none *Inventory
	if d := none.Resolve(boot.Facts{MAC: mac1}, netip.Addr{}); d.Known || !slices.Equal(d.IDs, []ID{mac1}) {
		t.Errorf("%+v of no inventory", d)
	}
}

func TestMistakes(t *testing.T) {
	r := func(s ...string) []Range { return ranges(t, s...) }
	for _, tt := range []struct {
		name     string
		hosts    []Host
		profiles []Profile
		want     string // of "hosts[I].FIELD: TEXT", joined by "; "
	}{
		{"the same UUID", []Host{{UUIDs: []string{uuid1}, Line: 3}, {UUIDs: []string{uuid1}, Line: 5}}, nil,
			`hosts[1].uuid: has "` + uuid1 + `", as hosts[0] has in line 3: nothing says which of the two a machine is`},
		{"the same serial in other letters",
			[]Host{{Serials: []string{"s1"}, Line: 3}, {Serials: []string{"S1"}, Line: 5}}, nil,
			`hosts[1].serial: has "s1", as hosts[0] has in line 3: nothing says which of the two a machine is`},
		{"the same serial of other makers",
			[]Host{{Serials: []string{"1"}, Manufacturer: "A"}, {Serials: []string{"1"}, Manufacturer: "B"}}, nil, ""},
		{"the same serial, one of a maker",
			[]Host{{Serials: []string{"1"}, Manufacturer: "A"}, {Serials: []string{"1"}}}, nil, ""},
		{"twice in one host", []Host{{MACs: []string{mac1, mac1}}}, nil, ""},
		{"ranges as large that overlap",
			[]Host{{Addresses: r("10.0.0.1-10.0.0.5"), Line: 3}, {Addresses: r("10.0.0.9"), Line: 4},
				{Addresses: r("10.0.0.4-10.0.0.8"), Line: 5}}, nil,
			`hosts[2].address: has 10.0.0.4-10.0.0.8, which overlaps with as large a range, 10.0.0.1-10.0.0.5, as hosts[0] has in line 3: nothing says which of the two a machine is`},
		{"ranges of two sizes that overlap",
			[]Host{{Addresses: r("10.0.0.1-10.0.0.5")}, {Addresses: r("10.0.0.4-10.0.0.9")}}, nil, ""},
		{"ranges side by side", []Host{{Addresses: r("10.0.0.0/25")}, {Addresses: r("10.0.0.128/25")}}, nil, ""},
		{"one range twice in a host", []Host{{Addresses: r("10.0.0.0/25", "10.0.0.0/25")}}, nil, ""},
		{"models that meet", []Host{{Product: "abc*", Line: 1}, {Manufacturer: "xyz*", Line: 2}}, nil,
			`hosts[1].product: demands of the maker's texts as much, as hosts[0] has in line 1: nothing says which of the two a machine is`},
		{"models that do not meet",
			[]Host{{Product: "abc*"}, {Product: "abd*"}, {Product: "abc"}, {Product: "abcd*"}}, nil, ""},
		{"a range and a MAC", []Host{{MACs: []string{mac1}, Addresses: r("10.0.0.0/24")}}, nil,
			`hosts[0].address: 10.0.0.0/24 is more than one address, and the host is known by its hardware besides; want its own address, or a host of its own for the range`},
		{"a serial that is none", []Host{{Serials: []string{"To be filled by O.E.M."}}}, nil,
			`hosts[0].serial: "To be filled by O.E.M." is what makers leave in boards that have none, so many machines have it`},
		{"a UUID that is none", []Host{{UUIDs: []string{"03000200-0400-0500-0006-000700080009"}}}, nil,
			`hosts[0].uuid: "03000200-0400-0500-0006-000700080009" is what makers leave in boards that have none, so many machines have it`},
		{"names", []Host{{Name: "a/b", MACs: []string{mac1}, Labels: map[string]string{"a b": ""}}}, nil,
			`hosts[0].name: invalid name "a/b": use letters, digits, dots, dashes and underscores, at most 64; ` +
				`hosts[0].labels: invalid label name "a b": use letters, digits, dots, dashes and underscores, at most 64`},
		{"a profile twice",
			nil, []Profile{{Name: "p", Line: 2}, {Name: "p", Line: 4}},
			`profiles.p.: duplicate profile (first on line 2)`},
		{"once of nothing",
			nil, []Profile{{Name: "p", Once: true}},
			`profiles.p.when: is once, and image is not set; want what is to be booted once`},
		{"a version of nothing",
			nil, []Profile{{Name: "p", Version: "1"}},
			`profiles.p.version: is set, and image is not; want the image of which this is a version`},
		{"an image that is none", nil, []Profile{{Name: "p", Image: "../x"}},
			"profiles.p.image: invalid item \"../x\": want a key such as those that `pxeagent menu show` lists"},
	} {
		_, err := New(tt.hosts, tt.profiles)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, tt := range []struct{ in, want, err string }{
		{"10.0.0.7", "10.0.0.7", ""},
		{"::ffff:10.0.0.7", "10.0.0.7", ""},
		{"10.0.0.0/24", "10.0.0.0/24", ""},
		{"10.0.0.0-10.0.0.255", "10.0.0.0/24", ""},
		{"10.0.0.1 - 10.0.0.2", "10.0.0.1-10.0.0.2", ""},
		{"0.0.0.0/0", "0.0.0.0/0", ""},
		{"2001:db8::/64", "2001:db8::/64", ""},
		{"2001:db8::1-2001:db8::3", "2001:db8::1-2001:db8::3", ""},
		{"10.0.0.1/24", "", `"10.0.0.1/24" is an address within its network; want 10.0.0.0/24`},
		{"10.0.0.2-10.0.0.1", "", `"10.0.0.2-10.0.0.1" ends before it begins; want 10.0.0.1-10.0.0.2`},
		{"10.0.0.2-::1",
			"", `invalid address "10.0.0.2-::1": want one (10.0.0.7), a network (10.0.0.0/24) or a range (10.0.0.20-10.0.0.40)`},
		{"fe80::1%eth0",
			"", `invalid address "fe80::1%eth0": want one (10.0.0.7), a network (10.0.0.0/24) or a range (10.0.0.20-10.0.0.40)`},
		{"", "", `invalid address "": want one (10.0.0.7), a network (10.0.0.0/24) or a range (10.0.0.20-10.0.0.40)`},
	} {
		r, err := ParseRange(tt.in)
		if err != nil && err.Error() != tt.err || err == nil && (tt.err != "" || r.String() != tt.want) {
			t.Errorf("%q: %v, %v; want %s %s", tt.in, r, err, tt.want, tt.err)
		}
	}
}

// FuzzResolve: the match that wins is one that every other loses to, whatever hosts there are, if New takes them; and
// the order of the hosts does not matter.
func FuzzResolve(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, byte(3), byte(20))
	f.Add([]byte{0x10, 0x20, 0x31, 0x42, 0x53, 0x64, 0x75, 0x86, 0x97}, byte(0xff), byte(0))
	f.Fuzz(func(t *testing.T, raw []byte, told, at byte) {
		var hosts []Host
		for ; len(raw) >= 3 && len(hosts) < 12; raw = raw[3:] {
			h := Host{Name: fmt.Sprint("h", len(hosts))}
			kind, n, more := raw[0], raw[1], raw[2]
			if kind&1 != 0 {
				h.MACs = []string{fmt.Sprintf("52:54:00:00:00:%02x", n&3)}
			}
			if kind&2 != 0 {
				h.UUIDs = []string{fmt.Sprintf("00000000-0000-0000-0000-0000000000%02x", n>>2&3|0x10)}
			}
			if kind&4 != 0 {
				h.Serials = []string{fmt.Sprint("s", n>>4&3)}
			}
			if kind&8 != 0 {
				h.Addresses = []Range{
					{netip.AddrFrom4([4]byte{10, 0, 0, n & 31}), netip.AddrFrom4([4]byte{10, 0, 0, n&31 + more&31})},
				}
			}
			h.Manufacturer = []string{"", "", "acme", "ac*"}[kind>>4&3]
			h.Product = []string{"", "", "one", "o*"}[kind>>6&3]
			hosts = append(hosts, h)
		}
		b, err := New(hosts, nil)
		if err != nil {
			return
		}
		facts := boot.Facts{
			Manufacturer: []string{"", "Acme", "acid", "x"}[told>>6&3],
			Product:      []string{"", "one", "other", "x"}[told&3],
		}
		if told&4 != 0 {
			facts.MAC = fmt.Sprintf("52:54:00:00:00:%02x", told>>3&3)
		}
		if told&8 != 0 {
			facts.UUID = fmt.Sprintf("00000000-0000-0000-0000-0000000000%02x", told>>4&3|0x10)
		}
		if told&16 != 0 {
			facts.Serial = fmt.Sprint("S", told&3)
		}
		where := netip.AddrFrom4([4]byte{10, 0, 0, at & 63})
		got := b.Resolve(facts, where)
		all := b.matches(facts, where)
		for _, m := range all[min(1, len(all)):] {
			if m.host == all[0].host {
				continue
			}
			x, y := all[0], m
			if x.by == y.by && x.width == y.width && b.hosts[x.host].weight() == b.hosts[y.host].weight() {
				t.Fatalf("hosts %d and %d are equal: %+v %+v", x.host, y.host, b.hosts[x.host], b.hosts[y.host])
			}
		}
		slices.Reverse(hosts)
		back, err := New(hosts, nil)
		if err != nil {
			t.Fatalf("the other way round: %v", err)
		}
		if again := back.Resolve(facts, where); again.Host != got.Host || again.By != got.By {
			t.Fatalf("%s by %s, and the other way round %s by %s", got.Host, got.By, again.Host, again.By)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"10.0.0.7", "10.0.0.0/24", "10.0.0.1-10.0.0.9", "2001:db8::/32", "-", "/", "::1-::2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRange(s)
		if err != nil {
			return
		}
		again, err := ParseRange(r.String())
		if err != nil || again != r {
			t.Fatalf("%q is %v, which is %v, %v", s, r, again, err)
		}
		if !r.Contains(r.From) || !r.Contains(r.To) {
			t.Fatalf("%v does not hold its ends", r)
		}
	})
}
