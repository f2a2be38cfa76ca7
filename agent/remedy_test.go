package agent

import (
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/ipxe"
)

func TestRemedy(t *testing.T) {
	except := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	for _, tc := range []struct {
		chain   ipxe.Chain
		except  []netip.Prefix
		classes []boot.Class
		want    string
	}{
		{ipxe.ChainAuto, except, []boot.Class{boot.BIOSROM, boot.IPXE, boot.IPXE}, "serve.chain_except"},
		{ipxe.ChainOff, nil, []boot.Class{boot.BIOSROM, boot.IPXE, boot.IPXE}, "chain: auto"},
		{ipxe.ChainEmbed, nil, []boot.Class{boot.IPXE, boot.IPXE, boot.IPXE}, "chain: auto"},
		{ipxe.ChainAuto, nil, []boot.Class{boot.IPXE, boot.IPXE, boot.IPXE}, "undionly.kpxe or ipxe.efi"},
		{ipxe.ChainAuto, nil, []boot.Class{boot.UEFI, boot.Unknown, boot.Unknown}, "pxeagent ipxe build"},
		{ipxe.ChainAuto, except, []boot.Class{boot.UEFI, boot.UEFI, boot.UEFI}, "no driver for"},
	} {
		d := doctor{chain: tc.chain, except: tc.except}
		if got := d.remedy(boot.Loop{Client: netip.MustParseAddr("10.0.0.9"), Classes: tc.classes}); !strings.Contains(got, tc.want) {
			t.Errorf("chain %s, %v: %q, want %q", tc.chain, tc.classes, got, tc.want)
		}
	}
}
