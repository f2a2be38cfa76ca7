package neighbour

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

// A MAC holds the IPv4 addresses that it had of late; an address that is new is looked up at once.
func TestHolder(t *testing.T) {
	addr := netip.MustParseAddr
	const a, b = "52:54:00:00:00:01", "52:54:00:00:00:02"
	table := []entry{
		{addr("10.0.0.1"), a, time.Second}, {addr("fd00::1"), a, 0}, {addr("fe80::1"), a, 0},
		{addr("10.0.0.2"), b, 0}, {addr("10.0.0.3"), b, recent}, {addr("10.0.0.4"), b, recent + time.Second},
	}
	reads := 0
	n := New(slog.New(slog.DiscardHandler))
	n.read = func() ([]entry, error) { reads++; return table, nil }
	want := func(at, mac string, addresses int) {
		t.Helper()
		if got, count := n.Holder(addr(at)); got != mac || count != addresses {
			t.Errorf("%s: %q with %d addresses, want %q with %d", at, got, count, mac, addresses)
		}
	}
	want("10.0.0.1", a, 1)
	n.at = n.at.Add(time.Hour) // the table stays fresh for the rest of the test
	want("fe80::1%eth0", a, 1)
	want("::ffff:10.0.0.2", b, 2)
	want("10.0.0.4", b, 2)
	if reads != 1 {
		t.Errorf("%d reads for addresses that are known, want 1", reads)
	}
	want("10.0.0.9", "", 0)
	table = append(table, entry{addr("10.0.0.9"), a, 0})
	want("10.0.0.9", "", 0)
	if reads != 2 {
		t.Errorf("%d reads for an address that was missing just now, want 2", reads)
	}
	n.missing[addr("10.0.0.9")] = time.Now().Add(-pause)
	want("10.0.0.9", a, 2)
	n.at = time.Now().Add(time.Hour)
	want("127.0.0.1", "", 0)
	if reads != 3 {
		t.Errorf("%d reads, want 3", reads)
	}
	table[5].mac = a
	n.at = time.Now().Add(-pause)
	want("10.0.0.9", a, 2) // 10.0.0.4 is too long ago to count
	if got := n.MAC(addr("10.0.0.4")); got != a {
		t.Errorf("10.0.0.4 is %q, want %q", got, a)
	}
}
