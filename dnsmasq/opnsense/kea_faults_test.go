package opnsense

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// A firewall that fails in the middle of a write has the old settings or the new ones, and what is left over is removed
// by the next run, whatever it is.
func TestKeaInterruptedWrite(t *testing.T) {
	for n := 1; ; n++ {
		f, s := stand(t, opnsensetest.Options{Config: keaSite()})
		s.limit = 50 * time.Millisecond
		old := mustApply(t, s, dhcptest.FullBoot("10.77.0.5"))
		first := keaText(t, f)
		p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.6"))
		posts := 0
		f.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
			if r.Method == "POST" {
				posts++
			}
			return opnsensetest.Fault{Cut: posts >= n}
		})
		err := s.Apply(t.Context(), p)
		f.Fault(nil)
		if err == nil {
			if n < 6 {
				t.Errorf("only %d requests wrote something", n-1)
			}
			return
		}
		if !remote.IsOutage(err) {
			t.Errorf("cut off at request %d: %v", n, err)
		}
		now := mustPlan(t, s, dhcptest.FullBoot("10.77.0.6"))
		if !now.Before.Same(p.Before) && !now.Before.Same(p.After) {
			t.Errorf("cut off at request %d: the record is %s", n, now.Before.Raw)
		}
		if err := s.Revert(t.Context(), p); err != nil {
			t.Fatalf("cut off at request %d: %v", n, err)
		}
		if got := keaText(t, f); !sameOptions(t, got, first) {
			t.Errorf("cut off at request %d, and reverted:\n%s\nit was\n%s", n, got, first)
		}
		if err := s.Revert(t.Context(), old); err != nil {
			t.Errorf("the revert of what was first: %v", err)
		}
		if k := f.Config().Kea; len(k.Options) != 1 {
			t.Errorf("%d options are left", len(k.Options))
		}
	}
}

// sameOptions compares without the order in which options are stored, which has no meaning.
func sameOptions(t *testing.T, a, b string) bool {
	t.Helper()
	sorted := func(text string) []string {
		lines := strings.Split(text, "\n")
		slices.Sort(lines)
		return lines
	}
	return slices.Equal(sorted(a), sorted(b))
}

// A firewall that rejects one of the options has none of them afterwards.
func TestKeaRejected(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{Config: keaSite()})
	before := keaText(t, f)
	p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
	posts := 0
	f.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
		if r.Method == http.MethodPost {
			posts++
		}
		if posts == 4 && r.Method == http.MethodPost {
			return opnsensetest.Fault{Status: 200, Body: `{"result":"failed","validations":{"option.data":"No such thing."}}`}
		}
		return opnsensetest.Fault{}
	})
	if err := s.Apply(t.Context(), p); !errors.Is(err, ErrValidation) || !strings.Contains(err.Error(), "No such thing.") {
		t.Errorf("apply: %v", err)
	}
	if got := keaText(t, f); got != before || f.KeaLoads() != 0 {
		t.Errorf("after it, loaded %d times, it is\n%s\nit was\n%s", f.KeaLoads(), got, before)
	}
}

// What somebody names in the subnet while the options are written is kept.
func TestKeaEditedMeanwhile(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{Config: keaSite()})
	p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
	posts := 0
	f.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
		if r.Method == http.MethodPost {
			posts++
		}
		if posts == 4 && r.Method == http.MethodPost {
			f.Edit(func(c *opnsensetest.Config) {
				c.Kea.Options = append(c.Kea.Options, opnsensetest.KeaOption{UUID: nameUUID, Code: "252", Encoding: "string",
					Data: "http://10.77.0.3/wpad.dat", Force: "0", Description: "proxy"})
				c.Kea.Subnets[0].Option += "," + nameUUID
			})
		}
		return opnsensetest.Fault{}
	})
	if err := s.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	f.Fault(nil)
	if list := f.Config().Kea.Subnets[0].Option; !strings.HasPrefix(list, ntpUUID+","+nameUUID+",") {
		t.Errorf("the options are %s", list)
	}
}

// Of a pair of firewalls only the primary is configured.
func TestKeaPair(t *testing.T) {
	for role, refused := range map[string]bool{"primary": false, "standby": true} {
		f, s := stand(t, opnsensetest.Options{Config: keaSite()})
		f.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
			switch {
			case strings.HasSuffix(r.URL.Path, "/dhcpv4/get"):
				return opnsensetest.Fault{Status: 200, Body: `{"dhcpv4":{"general":{"enabled":"1","interfaces":{"lan":` +
					`{"value":"LAN","selected":1}}},"ha":{"enabled":"1","this_server_name":""},"this_hostname":"fw1"}}`}
			case strings.HasSuffix(r.URL.Path, "/searchPeer"):
				return opnsensetest.Fault{Status: 200, Body: `{"rows":[{"name":"fw1","role":"` + role + `","url":` +
					`"http://10.77.0.1:8001/"},{"name":"fw2","role":"other","url":"http://10.77.0.2:8001/"}],"total":2}`}
			}
			return opnsensetest.Fault{}
		})
		p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
		q, is := p.Refused()
		if is != refused || refused && q.Code != "ha-secondary" || !refused && !slices.Contains(codes(p), "ha") {
			t.Errorf("%s: %+v", role, p.Problems)
		}
		if !slices.Equal(p.Peers, []netip.Addr{netip.MustParseAddr("10.77.0.2")}) {
			t.Errorf("%s: peers %v", role, p.Peers)
		}
	}
}

// A Kea that does not start with the new options runs with the old settings again.
func TestKeaThatDoesNotStart(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{Config: keaSite(), LoadKea: func(conf []byte) error {
		if strings.Contains(string(conf), "10.77.0.5") {
			return errors.New("it does not start")
		}
		return nil
	}})
	before := keaText(t, f)
	err := s.Apply(t.Context(), mustPlan(t, s, dhcptest.FullBoot("10.77.0.5")))
	if !errors.Is(err, dhcp.ErrReload) || !errors.Is(err, ErrStopped) {
		t.Errorf("apply: %v", err)
	}
	if got := keaText(t, f); got != before || !f.KeaRunning() {
		t.Errorf("after it, running: %v, it is\n%s\nit was\n%s", f.KeaRunning(), got, before)
	}
}

// A record of another network, or of Dnsmasq, is not written.
func TestKeaForeignRecord(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{Config: keaSite()})
	other := keaView{Interface: "opt1", Subnet: keaSubnet{Subnet: "10.78.0.0/24", Each: true}}
	state, err := other.want(dhcptest.FullBoot("10.77.0.5")).state()
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{state.Raw, []byte(`[{"table":"boot"}]`), []byte(`{}`)} {
		p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
		p.After.Raw = raw
		if err := s.Apply(t.Context(), p); err == nil || f.Writes() != 0 {
			t.Errorf("%s was written: %v", raw, err)
		}
	}
}
