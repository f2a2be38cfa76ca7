package pfsense

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// TestConformanceOfThePHP is the suite with the real programs under real PHP. What is on the wire is made up from what
// the stub's daemon loaded.
func TestConformanceOfThePHP(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend { return newStub(t, "2.9.0").backend(t) })
}

func (s *stub) backend(t *testing.T) dhcptest.Backend {
	load := program{name: "load",
		code: "require_once('services.inc'); ob_start(); services_dhcpd_configure('inet'); ob_end_clean(); $toreturn = '{}';"}
	edits, keeps := 0, s.interpreter()
	third := testBoot("10.99.0.7")
	third.URL = [firmware.NumArch]string{}
	return dhcptest.Backend{
		Open: func(testing.TB) dhcp.Server {
			b := s.server("admin")
			b.transport = wire{s: s, keeps: keeps}
			return b
		},
		Args:  []string{"php", s.dir, s.age},
		Wants: []dhcp.Boot{testBoot("10.99.0.5"), testBoot("10.99.0.6"), third},
		EditOwn: func(t testing.TB, edit int) {
			s.edit(func(c tree) {
				section := at(c, "dhcpd", "opt1")
				section["netboot"], section["nextserver"], section["filename"] = "", fmt.Sprintf("10.99.0.%d", 20+edit),
					"pxelinux.0"
				delete(section, "filename64")
			})
			if _, err := keeps.run(s.dir, load); err != nil {
				t.Fatal(err)
			}
		},
		EditOthers: func(testing.TB) {
			edits++
			s.edit(func(c tree) { at(c, "dhcpd", "lan")["domain"] = fmt.Sprintf("site%d.example", edits) })
		},
		Own: func(t testing.TB) []byte {
			raw, err := s.mine().record()
			if err != nil {
				t.Fatal(err)
			}
			return raw
		},
		Others: func(t testing.TB) []byte {
			c := s.config()
			for _, name := range fieldNames {
				delete(at(c, "dhcpd", "opt1"), name)
			}
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			return text
		},
		Written: func(testing.TB) string { return s.get("history") },
		Loaded:  func(testing.TB) string { return fmt.Sprint(strings.Count(s.get("steps"), "services_dhcpd_configure")) },
		Probe: func(_ context.Context, clients []firmware.Client) ([]firmware.Offer, error) {
			return s.offers(clients), nil
		},
	}
}

// offers are what a daemon would say that loaded what the stub's did.
func (s *stub) offers(clients []firmware.Client) []firmware.Offer {
	var loaded map[string]map[string]string
	if text := s.get("loaded"); text != "" {
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "[]", "{}")), &loaded); err != nil {
			s.t.Fatal(err)
		}
	}
	var b dhcp.Boot
	if mine, on := loaded["opt1"]; on {
		k := keysOf(mine)
		k[netboot].present = true
		b = k.boot(abilities{http: true})
	}
	var offers []firmware.Offer
	for _, c := range clients {
		file := b.Expect(c)
		if file == "" {
			file = b.NBP[firmware.BIOS]
		}
		own := netip.MustParseAddr("10.99.0.1")
		next := b.NextServer
		if !next.IsValid() {
			next = netip.IPv4Unspecified()
		}
		offers = append(offers, firmware.Offer{Client: c, Server: own, From: own, YourIP: netip.MustParseAddr("10.99.0.120"),
			NextServer: next, File: file, Via: "raw"})
	}
	return offers
}

// Of several that planned from the same settings one changes them, and the others change nothing.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	const writers = 6
	var plans [writers]dhcp.Plan
	for i := range plans {
		plans[i] = mustPlan(t, s.server("admin"), testBoot(fmt.Sprintf("10.99.0.%d", 10+i)))
	}
	before := s.config()
	var errs [writers]error
	var wg sync.WaitGroup
	for i := range writers {
		b := s.server("admin")
		wg.Go(func() { errs[i] = b.Apply(t.Context(), plans[i]) })
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won < 0:
			won = i
		case err == nil:
			t.Errorf("writers %d and %d both succeeded", won, i)
		}
	}
	if won < 0 {
		t.Fatalf("nobody succeeded: %v", errs)
	}
	if raw, _ := s.mine().record(); !reflect.DeepEqual(raw, plans[won].After.Raw) ||
		strings.Count(s.get("history"), "\n") != 1 {
		t.Errorf("writer %d won, the settings are %s", won, raw)
	}
	wantOthersSame(t, before, s.config())
}
