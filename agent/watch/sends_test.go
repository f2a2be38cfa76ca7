package watch

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// A network whose place is not known is asked for before each check, and checked as it is once it is known.
func TestPlacedIsAsked(t *testing.T) {
	t.Parallel()
	want := dhcp.Boot{NextServer: netip.MustParseAddr("127.0.0.1")}
	want.NBP[firmware.BIOS] = "undionly.kpxe"
	there := Network{Interface: "admin", NoProbe: true, TFTPPort: 1, Want: want, Script: "http://127.0.0.1:1/there"}
	there.Want.NextServer = netip.MustParseAddr("127.0.0.2")
	known := false
	w := New(Config{
		Networks: []Network{{Interface: "admin", NoProbe: true, TFTPPort: 1, Want: want,
			Placed: func() (Network, bool) { return there, known }}},
		Event: func(Event) {}, Changed: func() {}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	for range 2 {
		w.check(t.Context(), 0, "")
		s := w.States()[0]
		if want := map[bool]string{false: "127.0.0.1", true: "127.0.0.2"}[known]; s.NextServer.String() != want ||
			(s.Script == there.Script) != known {
			t.Errorf("known %v: next-server %s and script %q, want %s", known, s.NextServer, s.Script, want)
		}
		known = true
	}
}

// What the DHCP server can send is asked before each check, and nothing else is expected of it.
func TestSendsIsAsked(t *testing.T) {
	t.Parallel()
	can := dhcp.Abilities{}
	// Nothing listens there.
	want := dhcp.Boot{NextServer: netip.MustParseAddr("127.0.0.1"), Script: "http://127.0.0.1:1/s"}
	want.NBP[firmware.BIOS], want.NBP[firmware.EFI64] = "undionly.kpxe", "ipxe.efi"
	w := New(Config{
		Networks: []Network{{Interface: "admin", NoProbe: true, TFTPPort: 1, Want: want,
			Sends: func() dhcp.Abilities { return can }}},
		Event: func(Event) {}, Changed: func() {}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	offered := func() (efi64 string) {
		for _, c := range w.States()[0].Clients {
			if c.Name == "efi64" {
				efi64 = c.Want
			}
		}
		return efi64
	}
	if got := offered(); got != "ipxe.efi" {
		t.Errorf("before: %q", got)
	}
	can.OneNBP = true
	w.check(t.Context(), 0, "")
	if got := offered(); got != "undionly.kpxe" {
		t.Errorf("after it was learned: %q", got)
	}
}
