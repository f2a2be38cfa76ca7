package agent

import (
	"net/netip"
	"slices"
	"testing"

	"pxeagent/agent/boot"
)

// quiet is an Observer that ignores everything.
type quiet struct{}

func (quiet) Begin(boot.Ask)    {}
func (quiet) End(boot.Transfer) {}

// Who completed a request by HTTP is there, so that the TFTP server need not doubt its address.
func TestRequestsByHTTPProveAddresses(t *testing.T) {
	var proven []netip.Addr
	w := watched{
		Observer: quiet{}, own: func(boot.Ask) bool { return true },
		proven: func(a netip.Addr) { proven = append(proven, a) },
	}
	addr := netip.MustParseAddr("10.77.0.9")
	for _, tr := range []boot.Transfer{
		{Ask: boot.Ask{Proto: boot.TFTP}, Outcome: boot.OK},
		{Ask: boot.Ask{Proto: boot.HTTP}, Outcome: boot.Refused},
		{Ask: boot.Ask{Proto: boot.HTTP}, Outcome: boot.OK},
	} {
		tr.Client = netip.AddrPortFrom(addr, 1)
		w.End(tr)
	}
	if !slices.Equal(proven, []netip.Addr{addr}) {
		t.Errorf("proven are %v", proven)
	}
}
