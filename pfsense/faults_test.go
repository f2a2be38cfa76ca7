package pfsense_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/pfsense"
	"pxeagent/pfsense/pfsensetest"
)

// After a fault of the network or the firewall the old settings are in place and on the network, or those that somebody
// else wrote, or the new ones, proven.
func TestConfigureOverFaults(t *testing.T) {
	theirs := func(c pfsensetest.Tree) { c.Set("dhcpd/opt1/filename", "theirs") }
	for _, c := range []struct {
		name   string
		spoil  func(*site)
		want   error // of Configure
		kept   bool  // the new settings are there
		edited bool  // somebody's settings are there
		rest   bool  // by REST only
	}{
		{name: "cut before the change", spoil: order(pfsensetest.Fault{Kind: pfsensetest.CutBefore, Op: "write", Times: 1}),
			want: pfsense.ErrUnreachable},
		{name: "cut after the change", spoil: order(pfsensetest.Fault{Kind: pfsensetest.CutAfter, Op: "write", Times: 1}),
			kept: true},
		{name: "a program that ends in an error", spoil: order(pfsensetest.Fault{Kind: pfsensetest.Fatal, Op: "write",
			Times: 1}), want: pfsense.ErrProgram},
		{name: "down", spoil: order(pfsensetest.Fault{Kind: pfsensetest.Down, Op: "write", Times: 1}),
			want: pfsense.ErrGateway},
		{name: "a chunk lost", spoil: order(pfsensetest.Fault{Kind: pfsensetest.LoseChunk, Op: "chunk", Skip: 1, Times: 1}),
			want: pfsense.ErrProgram, rest: true},
		{name: "a chunk changed", spoil: order(pfsensetest.Fault{Kind: pfsensetest.ChangeChunk, Op: "chunk", Skip: 1,
			Times: 1}), want: pfsense.ErrProgram, rest: true},
		{name: "the daemon does not start", spoil: func(s *site) { s.FailLoads(1) }, want: dhcp.ErrReload},
		{name: "edited before the lock", spoil: func(s *site) {
			s.EditAt(pfsensetest.BeforeLock, theirs)
		}, want: dhcp.ErrChanged, edited: true},
		{name: "overwritten at once", spoil: func(s *site) {
			s.EditAt(pfsensetest.AfterWrite, theirs)
		}, want: dhcp.ErrChanged, edited: true},
		{name: "overwritten after it was loaded", spoil: func(s *site) {
			s.EditAt(pfsensetest.AfterLoad, theirs)
		}, want: dhcp.ErrChanged, edited: true},
		{name: "unapplied changes", spoil: func(s *site) { s.SetDirty(true) }, want: pfsense.ErrUnapplied},
	} {
		for _, transport := range []string{"rest", "xmlrpc"} {
			if c.rest && transport != "rest" {
				continue
			}
			t.Run(c.name+" by "+transport, func(t *testing.T) {
				s := newSite(t, "isc", transport)
				old, others := s.own(), s.others()
				wire, err := s.probe(t.Context(), firmware.Clients())
				if err != nil {
					t.Fatal(err)
				}
				j, err := dhcp.OpenJournal(t.TempDir(), "faults")
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				spoilt := false
				_, err = dhcp.Configure{Server: s.open(), Journal: j, Want: s.boot("10.99.0.5"), Probe: s.wire,
					Within: 2 * time.Second, Report: func(step dhcp.Step) {
						if step.Code == dhcp.StepBaseline {
							c.spoil(s)
							spoilt = true
						}
					}}.Run(t.Context())
				if !spoilt || !errors.Is(err, c.want) {
					t.Errorf("configure: %v, want %v", err, c.want)
				}
				s.SetDirty(false)
				switch now := s.own(); {
				case c.edited && s.Saved().Under("dhcpd/opt1")["filename"] != "theirs":
					t.Errorf("somebody's settings were lost: %s", now)
				case c.kept:
					if s.Writes() != 1 || s.Keys("opt1")["nextserver"] == nil || *s.Keys("opt1")["nextserver"] != "10.99.0.5" {
						t.Errorf("the settings are %s after %d writes", now, s.Writes())
					}
				case !c.edited && !slices.Equal(now, old):
					t.Errorf("the settings are %s, were %s", now, old)
				}
				if !slices.Equal(s.others(), others) {
					t.Error("something of others' changed")
				}
				if c.edited || c.kept {
					return
				}
				after, err := s.probe(t.Context(), firmware.Clients())
				if err != nil || !slices.EqualFunc(after, wire, firmware.Offer.SaysSame) {
					t.Errorf("on the wire: %+v\nwas %+v (%v)", after, wire, err)
				}
			})
		}
	}
}

func order(f pfsensetest.Fault) func(*site) { return func(s *site) { s.Order(f) } }
