package recorder

import (
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

func TestRemedy(t *testing.T) {
	except := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	for _, tc := range []struct {
		broken  bool
		except  []netip.Prefix
		classes []boot.Class
		want    string
	}{
		{true, except, []boot.Class{boot.BIOSROM, boot.IPXE, boot.IPXE}, "serve.chain_except"},
		{false, nil, []boot.Class{boot.BIOSROM, boot.IPXE, boot.IPXE}, "chain: auto"},
		{false, nil, []boot.Class{boot.IPXE, boot.IPXE, boot.IPXE}, "chain: auto"},
		{true, nil, []boot.Class{boot.IPXE, boot.IPXE, boot.IPXE}, "undionly.kpxe or ipxe.efi"},
		{true, nil, []boot.Class{boot.UEFI, boot.Unknown, boot.Unknown}, "pxeagent ipxe build"},
		{true, except, []boot.Class{boot.UEFI, boot.UEFI, boot.UEFI}, "no driver for"},
	} {
		a := loopAlarm{broken: tc.broken, except: tc.except}
		if got := a.remedy(boot.Loop{Client: netip.MustParseAddr("10.0.0.9"), Classes: tc.classes}); !strings.Contains(
			got,
			tc.want,
		) {
			t.Errorf("broken %v, %v: %q, want %q", tc.broken, tc.classes, got, tc.want)
		}
	}
}
