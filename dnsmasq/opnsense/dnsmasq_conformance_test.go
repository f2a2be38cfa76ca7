package opnsense

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

func TestDnsmasqConformance(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend {
		daemon, err := dnsmasqtest.Start("igc1", netip.MustParseAddr("10.77.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(daemon.Close)
		f, _ := stand(t, opnsensetest.Options{Load: daemon.Load})
		edits := 0
		return dhcptest.Backend{
			Open:  func(t testing.TB) dhcp.Server { return openAt(t, f) },
			Args:  dhcptest.RemoteArgs(f),
			Wants: []dhcp.Boot{dhcptest.FullBoot("10.77.0.5"), dhcptest.FullBoot("10.77.0.6"), keaBoot("10.77.0.7")},
			EditOwn: func(_ testing.TB, edit int) {
				f.Edit(func(c *opnsensetest.Config) { editOwn(&c.Dnsmasq, edit) })
				f.Apply()
			},
			EditOthers: func(testing.TB) {
				edits++
				f.Edit(func(c *opnsensetest.Config) { c.Dnsmasq.Ranges[0].LeaseTime = fmt.Sprint(3600 + edits) })
			},
			Own:     func(t testing.TB) []byte { return mustPlan(t, openAt(t, f), dhcp.Boot{}).Before.Raw },
			Others:  func(testing.TB) []byte { return othersOf(f) },
			Written: func(testing.TB) string { return fmt.Sprint(f.Writes()) },
			Loaded:  func(testing.TB) string { return fmt.Sprint(f.Loads()) },
			Probe:   dhcptest.Relayed(daemon.Addr()),
		}
	})
}

// editOwn is a person who changes one of pxeagent's boot entries, or brings one back.
func editOwn(d *opnsensetest.Dnsmasq, edit int) {
	o := own{"lan"}
	b := opnsensetest.Boot{UUID: o.bootUUID("bios"), Interface: "lan", Filename: fmt.Sprintf("person%d.0", edit),
		Address: fmt.Sprintf("10.77.0.%d", 20+edit)}
	b.Servername = b.Address
	if n := slices.IndexFunc(d.Boots, func(b opnsensetest.Boot) bool { return o.has(b.UUID) }); n >= 0 {
		d.Boots[n].Filename = b.Filename
		return
	}
	d.Boots = append(d.Boots, b)
}

// othersOf is all that the firewall stores but pxeagent's entries.
func othersOf(f *opnsensetest.Firewall) []byte {
	c := f.Config()
	d, o := &c.Dnsmasq, own{"lan"}
	d.Tags = slices.DeleteFunc(d.Tags, func(e opnsensetest.Tag) bool { return o.has(e.UUID) })
	d.Options = slices.DeleteFunc(d.Options, func(e opnsensetest.Option) bool { return o.has(e.UUID) })
	d.Boots = slices.DeleteFunc(d.Boots, func(e opnsensetest.Boot) bool { return o.has(e.UUID) })
	d.Saved = true // by any write, which also gives the ranges their uuids
	for n := range d.Ranges {
		d.Ranges[n].UUID = ""
	}
	return fmt.Appendf(nil, "%+v", c)
}
