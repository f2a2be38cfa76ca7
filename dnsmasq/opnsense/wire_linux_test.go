package opnsense

import (
	"errors"
	"slices"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// What is configured is what a real Dnsmasq sends to each kind of machine, and it is gone again after a revert.
func TestDnsmasqOnTheWire(t *testing.T) {
	lab.NoShort(t)
	segment := lab.NewSegment(t)
	server, client := segment.Host("opnsense", "igc1", "10.77.0.1/24"), segment.Host("client", "cl0", "10.77.0.5/24")
	reload := server.Reloader()
	f, s := stand(t, opnsensetest.Options{Load: func(conf string) error { return reload(opnsensetest.Elsewhere(conf)) }})
	ask := dhcptest.OnTheWire(client.Do, "cl0")
	j, err := dhcp.OpenJournal(t.TempDir(), "opnsense")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	before := othersOf(f)
	want := dhcptest.FullBoot("10.77.0.5")
	r, err := dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if err != nil || !r.Wrote || r.Verdict == nil || !r.Verdict.Agrees() {
		t.Fatalf("configure: %v, %+v", err, r.Verdict)
	}
	offers, err := ask(t.Context(), firmware.Clients(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range firmware.Clients() {
		n := slices.IndexFunc(offers, func(o firmware.Offer) bool { return o.Client == c })
		if n < 0 {
			t.Errorf("%v is sent no offer", c)
			continue
		}
		o, vendor, next := offers[n], "", want.NextServer
		name, _ := o.BootFile()
		switch {
		case want.Expect(c) == "":
			next = o.Server // Dnsmasq's own
		case c.HTTP():
			vendor = "HTTPClient"
		}
		if name != want.Expect(c) || o.NextServer != next || o.Vendor != vendor {
			t.Errorf("%v is sent %q, next-server %v, option 60 %q", c, name, o.NextServer, o.Vendor)
		}
	}
	again, err := dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if err != nil || again.Wrote || again.Reloaded {
		t.Errorf("again: %v, %+v", err, again)
	}
	// A boot entry that somebody adds after ours is seen before anything is written; what it says is on the wire.
	f.Edit(func(c *opnsensetest.Config) {
		c.Dnsmasq.Boots = append(c.Dnsmasq.Boots, opnsensetest.Boot{UUID: "11111111-1111-4111-8111-111111111111",
			Tag: own{"lan"}.uuid(tags, "bios"), Filename: "other.0"})
	})
	f.Apply()
	_, err = dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if refused := (*dhcp.RefusedError)(nil); !errors.As(err, &refused) || refused.Problem.Code != "overridden" {
		t.Errorf("with an entry that wins: %v", err)
	}
	offers, err = ask(t.Context(), []firmware.Client{firmware.ClientBIOS}, nil)
	if err != nil || len(offers) != 1 {
		t.Fatalf("%+v, %v", offers, err)
	}
	if name, _ := offers[0].BootFile(); name != "other.0" {
		t.Errorf("bios is sent %q", name)
	}
	f.Edit(func(c *opnsensetest.Config) {
		theirs := func(b opnsensetest.Boot) bool { return b.Filename == "other.0" }
		c.Dnsmasq.Boots = slices.DeleteFunc(c.Dnsmasq.Boots, theirs)
	})
	if _, err := (dhcp.Revert{Server: s, Journal: j, Probe: ask}).Run(t.Context()); err != nil {
		t.Fatalf("revert: %v", err)
	}
	if after := othersOf(f); string(after) != string(before) {
		t.Errorf("after revert it is\n%s\nit was\n%s", after, before)
	}
}
