package pfsense_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/pfsense/pfsensetest"
)

// foreseen configures a site whose interface has these settings besides, and says how often the wire was looked at.
func foreseen(t *testing.T, s *site, edit func(pfsensetest.Tree)) (r dhcp.Result, looks int, err error) {
	t.Helper()
	s.Edit("by hand", edit)
	s.Apply()
	j, err := dhcp.OpenJournal(t.TempDir(), "foreseen")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	probe := func(ctx context.Context, clients []firmware.Client, _ dhcp.Enough) ([]firmware.Offer, error) {
		looks++
		return s.probe(ctx, clients)
	}
	r, err = dhcp.Configure{Server: s.open(), Journal: j, Want: s.boot("10.99.0.5"), Probe: probe}.Run(t.Context())
	return r, looks, err
}

// customOption is one of ISC's, as the web page stores it.
func customOption(number, text string) func(pfsensetest.Tree) {
	return func(c pfsensetest.Tree) {
		c.Set("dhcpd/opt1/numberoptions", pfsensetest.Tree{"item": []pfsensetest.Tree{{"number": number, "type": "text",
			"value": base64.StdEncoding.EncodeToString([]byte(text))}}})
	}
}

// A custom option of ISC's that contradicts is refused where it would be put back, and is only told of where machines
// boot all the same: nothing is ever written that must be put back.
func TestCustomOptionIsNeverPutBack(t *testing.T) {
	for _, c := range []struct {
		number, text string
		refused      bool
	}{
		{"67", "pxelinux.0", true},
		{"67", "undionly.kpxe", true}, // to UEFI, too
		{"66", "10.99.0.8", false},
		{"66", "boot.example", false},
		{"66", "10.99.0.5", false},
	} {
		t.Run(c.number+" "+c.text, func(t *testing.T) {
			s := newSite(t, "isc", "xmlrpc")
			r, _, err := foreseen(t, s, customOption(c.number, c.text))
			switch {
			case c.refused:
				if !errors.Is(err, dhcp.ErrRefused) || !strings.Contains(err.Error(), c.text) || s.Writes() != 0 {
					t.Errorf("%v after %d writes, want a refusal that names %q", err, s.Writes(), c.text)
				}
			case err != nil || r.Reverted || s.Writes() != 1 || !r.Verdict.Agrees():
				t.Errorf("%v, put back %v, %d writes", err, r.Reverted, s.Writes())
			}
			told := slices.ContainsFunc(r.Problems, func(q dhcp.Problem) bool { return q.Code == "option-"+c.number })
			if agrees := c.text == "10.99.0.5"; told == agrees {
				t.Errorf("told of it: %v, %+v", told, r.Problems)
			}
		})
	}
}

// Where the firewall answers only known machines, one look after the change is enough to say what cannot be proven, and
// why. The settings are kept.
func TestUnknownMachinesGetNoOffer(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"isc", "kea"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, engine, "xmlrpc")
			r, looks, err := foreseen(t, s, func(c pfsensetest.Tree) {
				c.Set("dhcpd/opt1/denyunknown", "enabled")
				for _, pool := range c.Under("dhcpd/opt1").List("pool") {
					pool.Set("denyunknown", "enabled")
				}
			})
			if !errors.Is(err, dhcp.ErrNotProven) || !strings.Contains(err.Error(), "answers only known clients") || !r.Wrote {
				t.Errorf("%v, wrote %v", err, r.Wrote)
			}
			if looks != 2 {
				t.Errorf("%d looks, want one before the change and one after it", looks)
			}
			if s.Writes() != 1 || len(r.Offers) != 0 {
				t.Errorf("%d writes, %d offers", s.Writes(), len(r.Offers))
			}
		})
	}
}
