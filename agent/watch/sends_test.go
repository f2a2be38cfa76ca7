package watch

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// What the DHCP server can send is asked before each check, and nothing else is expected of it.
func TestSendsIsAsked(t *testing.T) {
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
