package pfsense_test

import (
	"slices"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// A DHCP daemon that did not run before configure runs after it, and not after the revert.
func TestRevertToAStoppedDaemon(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"isc", "kea"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			transports(t, func(t *testing.T, transport string) {
				s := newSite(t, engine, transport)
				s.StopDHCP()
				old, others := s.own(), s.others()
				j, err := dhcp.OpenJournal(t.TempDir(), "stopped")
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				r, err := dhcp.Configure{Server: s.open(), Journal: j, Want: s.boot("10.99.0.5"), Probe: s.wire}.Run(t.Context())
				if err != nil || !r.Wrote || s.Loaded() == nil {
					t.Fatalf("configure: %v, %+v, running %v", err, r, s.Loaded() != nil)
				}
				loads := s.Loads()
				r, err = dhcp.Revert{Server: s.open(), Journal: j, Probe: s.wire}.Run(t.Context())
				if err != nil || !r.Reverted || !r.Stopped {
					t.Errorf("revert: %v, %+v", err, r)
				}
				if s.Loaded() != nil || s.Loads() != loads {
					t.Errorf("running %v, loaded %d times by the revert", s.Loaded() != nil, s.Loads()-loads)
				}
				if !slices.Equal(s.own(), old) || !slices.Equal(s.others(), others) {
					t.Errorf("the settings are %s, were %s", s.own(), old)
				}
				if offers, err := s.probe(t.Context(), []firmware.Client{firmware.ClientBIOS}); err != nil || len(offers) > 0 {
					t.Errorf("%d offers, %v", len(offers), err)
				}
			})
		})
	}
}
