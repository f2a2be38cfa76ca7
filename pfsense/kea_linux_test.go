package pfsense_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/deploy/lab"
	"pxeagent/pfsense"
	"pxeagent/pfsense/pfsensetest"
)

// TestKeaSendsIPXEToTheScript has a firewall configured, and real Kea run with what pfSense would then make of it: iPXE
// is sent the script, every ROM its NBP, and after the revert iPXE is told what a ROM is.
func TestKeaSendsIPXEToTheScript(t *testing.T) {
	lab.Need(t, "kea-dhcp4")
	for _, transport := range []string{"rest", "xmlrpc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := newTellingSite(t, transport)
			s.Edit("the device as it is called here", func(c pfsensetest.Tree) { c.Set("interfaces/opt1/if", "eth1") })
			s.Apply()
			segment := lab.NewSegment(t)
			firewall, client := segment.Host("pfsense", "eth1", "10.99.0.1/24"), segment.Host("client", "eth1")
			offered := func(want dhcp.Boot) {
				t.Helper()
				kea := firewall.Kea(pfsense.KeaWith(t, s.kea(), "eth1"))
				defer kea.Stop()
				var report probe.Report
				var err error
				client.Do(func() {
					report, err = probe.Run(context.Background(), probe.Config{Device: "eth1", Quiet: 400 * time.Millisecond})
				})
				if err != nil {
					t.Fatal(err)
				}
				own := dhcp.Plan{Own: []netip.Addr{netip.MustParseAddr("10.99.0.1")}}
				if v := dhcp.Verify(want, own, report.Offers); !v.Agrees() || v.Own == 0 {
					t.Errorf("want %+v\nwrong: %+v", want, v.Wrong)
				}
				for _, o := range report.Offers {
					// iPXE looks into the BOOTP field first.
					if o.Client == firmware.ClientIPXE && want.Script != "" && (o.File != want.Script || o.Option67 != want.Script) {
						t.Errorf("iPXE is sent file %q and option 67 %q", o.File, o.Option67)
					}
				}
			}
			// The recorded configuration has these names.
			want := dhcp.Boot{NextServer: netip.MustParseAddr("10.99.0.5"), Script: "http://10.99.0.5/ipxe/bootstrap.ipxe"}
			want.NBP[firmware.BIOS], want.NBP[firmware.EFI64], want.NBP[firmware.ARM64] = "undionly.kpxe", "ipxe.efi",
				"ipxe-arm64.efi"

			server := s.open()
			plan, err := server.Plan(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Apply(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			offered(want)
			if err := server.Revert(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			if s.kea() != siteKea {
				t.Errorf("the site's own configuration is %q", s.kea())
			}
			want.Script = ""
			offered(want)
			// A class for another interface says nothing on this one.
			s.Edit("the device is another", func(c pfsensetest.Tree) { c.Set("interfaces/opt1/if", "igb9") })
			s.Apply()
			want.Script = "http://10.99.0.5/ipxe/bootstrap.ipxe"
			server = s.open()
			if plan, err = server.Plan(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if err := server.Apply(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			want.Script = ""
			offered(want)
		})
	}
}
