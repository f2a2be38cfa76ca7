package openwrt

import (
	"reflect"
	"slices"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

// What is configured is what a real Dnsmasq sends with what the router's script makes of it; it is confirmed once that
// is proven, and gone again after a revert.
func TestOnTheWire(t *testing.T) {
	lab.NoShort(t)
	segment := lab.NewSegment(t)
	router := segment.Host("router", "br-lan", "10.77.0.1/24")
	client := segment.Host("client", "eth0", "10.77.0.5/24")
	s := newSite(t, openwrttest.Options{Load: router.Reloader()})
	ask := dhcptest.OnTheWire(client.Do, "eth0")
	j, err := dhcp.OpenJournal(t.TempDir(), "openwrt")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	before := s.Sections()
	var steps []string
	report := func(st dhcp.Step) { steps = append(steps, st.Code) }
	r, err := dhcp.Configure{Server: s.open(), Want: dhcptest.FullBoot("10.77.0.5"), Journal: j, Probe: ask,
		Report: report}.Run(t.Context())
	if err != nil || !r.Wrote || s.Pending() || !slices.Contains(steps, dhcp.StepKept) {
		t.Fatalf("configure: %v, %+v, %q", err, r, steps)
	}
	if _, err := (dhcp.Revert{Server: s.open(), Journal: j, Probe: ask}).Run(t.Context()); err != nil || s.Pending() {
		t.Fatalf("revert: %v", err)
	}
	if got := s.Sections(); !reflect.DeepEqual(got, before) {
		t.Errorf("sections are %+v, were %+v", got, before)
	}
}
