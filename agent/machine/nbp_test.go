package machine

import (
	"net/netip"
	"testing"
)

// Firmware tells nothing of its machine: it is known by what the network has for its address, or by the address.
func TestNBPOfAMachineThatTellsNothing(t *testing.T) {
	inventory, err := New([]Host{
		{Name: "by-mac", MACs: []string{"52:54:00:00:00:01"}, NBP: "own.efi", Profile: "shim"},
		{Name: "by-address", Addresses: []Range{mustRange(t, "10.0.0.30")}, Profile: "shim"},
		{Name: "plain", MACs: []string{"52:54:00:00:00:03"}},
	}, []Profile{{Name: "shim", NBP: "shim.efi"}})
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{"10.0.0.21": "52:54:00:00:00:01", "10.0.0.23": "52:54:00:00:00:03"}
	fleet := OpenFleet(Config{Inventory: inventory, State: t.TempDir(), Neighbour: func(a netip.Addr) Holder {
		return Holder{MAC: table[a.String()], Addresses: 1}
	}})
	for addr, want := range map[string]string{
		"10.0.0.21": "own.efi", "10.0.0.30": "shim.efi", "10.0.0.23": "", "10.0.0.99": "",
	} {
		if got := fleet.NBP(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is given %q, want %q", addr, got, want)
		}
	}
}

func mustRange(t *testing.T, s string) Range {
	r, err := ParseRange(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
