package opnsense

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// newKeaWire is a firewall whose Kea is a real one on a network of its own, and how a machine there probes. What Kea is
// configured with is changed first.
func newKeaWire(t *testing.T, version string, change ...func(*opnsensetest.Config)) (*opnsensetest.Firewall, *Server,
	dhcp.Probe) {
	t.Helper()
	segment := lab.NewSegment(t)
	server, client := segment.Host("opnsense", "igc1", "10.77.0.1/24"), segment.Host("client", "cl0", "10.77.0.5/24")
	load, hooks := server.KeaReloader(), lab.KeaHooks(t)
	only := func(c *opnsensetest.Config) { c.Kea.Interfaces = []string{"lan"} }
	f, s := stand(t, opnsensetest.Options{
		Version: version, Config: keaSite(append(change, only)...), LoadKea: func(conf []byte) error {
			old, err := opnsensetest.OldKea(conf, hooks)
			if err != nil {
				return err
			}
			return load(old)
		},
	})
	return f, s, dhcptest.OnTheWire(client.Do, "cl0")
}

// What is configured is what a real Kea sends to each kind of machine, and it is gone again after a revert.
func TestKeaOnTheWire(t *testing.T) {
	lab.NoShort(t)
	f, s, ask := newKeaWire(t, "")
	before := keaText(t, f)
	j, err := dhcp.OpenJournal(t.TempDir(), "kea")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	// It says nothing about ARM32, so that Kea has nothing for it.
	want := dhcptest.FullBoot("10.77.0.5")
	want.NBP[firmware.ARM32] = ""
	r, err := dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if err != nil || !r.Wrote || r.Verdict == nil || !r.Verdict.Agrees() {
		t.Fatalf("configure: %v, %+v", err, r.Verdict)
	}
	offers, err := ask(t.Context(), firmware.Clients(), nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, o := range offers {
		seen++
		server, vendor := "10.77.0.5", ""
		if o.Client.HTTP() {
			server = "" // they do not ask for it
		}
		name, _ := o.BootFile()
		if o.Client.HTTP() && name != "" {
			vendor = httpClient
		}
		if name != want.Expect(o.Client) || o.NextServer != want.NextServer || o.Option66 != server || o.Vendor != vendor {
			t.Errorf("%v is sent %q, next-server %v, option 66 %q, option 60 %q", o.Client, name, o.NextServer, o.Option66,
				o.Vendor)
		}
	}
	if seen < len(firmware.Clients()) {
		t.Errorf("%d offers to %d clients", seen, len(firmware.Clients()))
	}
	again, err := dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if err != nil || again.Wrote || again.Reloaded {
		t.Errorf("again: %v, %+v", err, again)
	}
	if _, err := (dhcp.Revert{Server: s, Journal: j, Probe: ask}).Run(t.Context()); err != nil {
		t.Fatalf("revert: %v", err)
	}
	if got := keaText(t, f); got != before {
		t.Errorf("after revert it is\n%s\nit was\n%s", got, before)
	}
}

// A foreign boot file for all machines, which a person set before or adds later, does not win over pxeagent's.
func TestKeaForeignBootFileOnTheWire(t *testing.T) {
	lab.NoShort(t)
	f, s, ask := newKeaWire(t, "", func(c *opnsensetest.Config) {
		c.Kea.Options = append(c.Kea.Options, opnsensetest.KeaOption{UUID: nameUUID, Code: "67", Encoding: "string",
			Data: "foreign.0", Force: "1", MatchCode: "93", MatchEncoding: "uint16", MatchData: "7", Description: "somebody's"})
		c.Kea.Subnets[0].Option += "," + nameUUID
	})
	want := keaBoot("10.77.0.5")
	j, err := dhcp.OpenJournal(t.TempDir(), "kea")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := (dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A person moves it to the end.
	f.Edit(func(c *opnsensetest.Config) {
		list := text(c.Kea.Subnets[0].Option).list()
		list = slices.DeleteFunc(list, func(uuid string) bool { return uuid == nameUUID })
		c.Kea.Subnets[0].Option = strings.Join(append(list, nameUUID), ",")
	})
	f.Apply()
	if _, err := (dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}).Run(t.Context()); err != nil {
		t.Errorf("after a person moved it: %v", err)
	}
}

// An older OPNsense has one boot file for all machines.
func TestKeaBeforeOptionsOnTheWire(t *testing.T) {
	lab.NoShort(t)
	_, s, ask := newKeaWire(t, "26.1.4", func(c *opnsensetest.Config) { c.Kea.Subnets[0].Option, c.Kea.Options = "", nil })
	want := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.5")}
	want.NBP[firmware.BIOS] = "pxelinux.0"
	j, err := dhcp.OpenJournal(t.TempDir(), "kea")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r, err := dhcp.Configure{Server: s, Want: want, Journal: j, Probe: ask}.Run(t.Context())
	if err != nil || !r.Wrote {
		t.Fatalf("configure: %v, %+v", err, r.Verdict)
	}
	if _, err := (dhcp.Revert{Server: s, Journal: j, Probe: ask}).Run(t.Context()); err != nil {
		t.Fatalf("revert: %v", err)
	}
}
