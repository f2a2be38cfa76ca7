package opnsense

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/agent/firmware"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

const (
	subnetUUID = "c632b5d1-7fd0-4aed-b08f-49372ce5cb6c"
	otherUUID  = "100892a5-29eb-419b-b868-460f194d508b"
	ntpUUID    = "daa0a0be-e659-49b1-8abf-29e0e91f1677"
	nameUUID   = "1562df06-2bdd-4fb8-90cc-a4de6ccd872a"
)

// keaSite is a firewall where Kea serves lan and opt1, and Dnsmasq is off. One of its options is not for network boot.
func keaSite(change ...func(*opnsensetest.Config)) *opnsensetest.Config {
	c := opnsensetest.Default()
	c.Dnsmasq.Enable = false
	c.Kea = opnsensetest.Kea{
		Enabled: true, Interfaces: []string{"lan", "opt1"},
		Subnets: []opnsensetest.Subnet{
			{UUID: subnetUUID, ID: "1", Subnet: "10.77.0.0/24", Autocollect: "1", MatchClientID: "1", Option: ntpUUID,
				Pools: "10.77.0.100-10.77.0.199", Description: "LAN"},
			{UUID: otherUUID, ID: "2", Subnet: "10.78.0.0/24", Autocollect: "0", MatchClientID: "1", NextServer: "10.78.0.9",
				BootFileName: "guest.0", Pools: "10.78.0.100-10.78.0.199", Description: "Guests"},
		},
		Options: []opnsensetest.KeaOption{{UUID: ntpUUID, Code: "42", Encoding: "ipv4-address", Data: "10.77.0.3",
			Force: "0", Description: "time"}},
	}
	for _, f := range change {
		f(&c)
	}
	return &c
}

func keaText(t *testing.T, f *opnsensetest.Firewall) string {
	t.Helper()
	k := f.Config().Kea
	for i := range k.Subnets {
		k.Subnets[i].Routers, k.Subnets[i].NameServers, k.Subnets[i].NTPServers = "", "", "" // the firewall's own doing
	}
	text, err := json.MarshalIndent([]any{k, uuids(k)}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func uuids(k opnsensetest.Kea) (all []string) {
	for _, s := range k.Subnets {
		all = append(all, s.UUID)
	}
	for _, o := range k.Options {
		all = append(all, o.UUID)
	}
	return all
}

// Written, read back, and put back to the byte.
func TestKeaApplyAndRevert(t *testing.T) {
	for _, edit := range []func(*opnsensetest.Config){
		func(*opnsensetest.Config) {},
		func(c *opnsensetest.Config) {
			s := &c.Kea.Subnets[0]
			s.NextServer, s.BootFileName, s.TFTPServerName = "10.77.0.9", "person.0", "10.77.0.9"
		},
	} {
		f, s := stand(t, opnsensetest.Options{Config: keaSite(edit)})
		before := keaText(t, f)
		want := dhcptest.FullBoot("10.77.0.5")
		p := mustApply(t, s, want)
		if p.After.Boot != want {
			t.Errorf("planned: %+v", dhcp.Diff(want, p.After.Boot))
		}
		again := mustPlan(t, s, want)
		if !again.Empty() || again.Before.Boot != want {
			t.Errorf("after it: %+v", dhcp.Diff(want, again.Before.Boot))
		}
		sub := f.Config().Kea.Subnets[0]
		if list := strings.Split(sub.Option, ","); list[0] != ntpUUID || len(list) != 10 || sub.BootFileName != "" ||
			sub.NextServer != "10.77.0.5" || sub.TFTPServerName != "10.77.0.5" {
			t.Errorf("the subnet is %+v", sub)
		}
		if n := f.KeaLoads(); n != 1 || !f.KeaRunning() || f.Loads() != 0 {
			t.Errorf("Kea was loaded %d times, Dnsmasq %d", n, f.Loads())
		}
		if err := s.Revert(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := keaText(t, f); got != before {
			t.Errorf("after revert it is\n%s\nit was\n%s", got, before)
		}
	}
}

// A second configuration writes only what differs, and an option that is no longer used is deleted.
func TestKeaWritesWhatDiffers(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{Config: keaSite()})
	want := dhcptest.FullBoot("10.77.0.5")
	mustApply(t, s, want)
	writes, options := f.Writes(), len(f.Config().Kea.Options)
	if writes != options {
		t.Errorf("%d writes for %d options, one of them foreign, and a subnet", writes, options)
	}
	want.NBP[firmware.ARM64] = "other.efi"
	first := mustApply(t, s, want)
	if n := f.Writes() - writes; n != 3 {
		t.Errorf("%d writes for one file", n)
	}
	if n := len(f.Config().Kea.Options); n != options {
		t.Errorf("%d options, were %d", n, options)
	}
	writes = f.Writes()
	mustApply(t, s, want)
	if f.Writes() != writes {
		t.Error("what is as wanted was written")
	}
	off := mustApply(t, s, dhcp.Boot{})
	if k := f.Config().Kea; len(k.Options) != 1 || k.Subnets[0].NextServer+k.Subnets[0].TFTPServerName != "" ||
		off.After.Raw != nil || k.Subnets[1].BootFileName != "guest.0" {
		t.Errorf("off: %+v", k)
	}
	if err := s.Revert(t.Context(), first); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("a revert of what is not there any more: %v", err)
	}
}

// Options of others stay as they are, in their order; ours come after those for network boot.
func TestKeaForeignOptions(t *testing.T) {
	name := opnsensetest.KeaOption{UUID: nameUUID, Code: "67", Encoding: "string", Data: "foreign.0", Force: "1",
		Description: "somebody's"}
	f, s := stand(t, opnsensetest.Options{Config: keaSite()})
	p := mustApply(t, s, dhcptest.FullBoot("10.77.0.5"))
	f.Edit(func(c *opnsensetest.Config) {
		c.Kea.Options = append(c.Kea.Options, name)
		c.Kea.Subnets[0].Option += "," + nameUUID
	})
	edited := keaText(t, f)
	if err := s.Revert(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("a foreign boot file was put after ours: %v", err)
	}
	p = mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
	if got := codes(p); p.Empty() || !slices.Contains(got, "edited") || !slices.Contains(got, "other-boot") {
		t.Errorf("the problems are %v", got)
	}
	if err := s.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	list := strings.Split(f.Config().Kea.Subnets[0].Option, ",")
	if list[0] != ntpUUID || list[1] != nameUUID || len(list) != 11 {
		t.Errorf("the options are %v", list)
	}
	if err := s.Revert(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := keaText(t, f); got != edited {
		t.Errorf("after revert it is\n%s\nit was\n%s", got, edited)
	}
	p = mustPlan(t, s, dhcp.Boot{})
	if q, refused := p.Refused(); !refused || q.Code != "still-boots" {
		t.Errorf("turning off: %+v", p.Problems)
	}
}

// What cannot take effect is refused, and what a person should know is said.
func TestKeaProblems(t *testing.T) {
	one := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.5")}
	one.NBP[firmware.BIOS] = "pxelinux.0"
	full := dhcptest.FullBoot("10.77.0.5")
	quoted, comma := one, one
	quoted.NBP[firmware.BIOS], comma.NBP[firmware.BIOS] = "it's.0", "a,b.0"
	for _, c := range []struct {
		name, version string
		want          dhcp.Boot
		edit          func(*opnsensetest.Config)
		refused       string
		shown         []string
	}{
		{name: "as it is", want: full, shown: []string{"applies-others", "autocollect"}},
		{name: "by hand", want: full, edit: func(c *opnsensetest.Config) { c.Kea.Manual = true }, refused: "manual-config"},
		{name: "off", want: full, edit: func(c *opnsensetest.Config) { c.Kea.Enabled = false }, refused: "dhcp-off"},
		{name: "elsewhere", want: full, edit: func(c *opnsensetest.Config) { c.Kea.Interfaces = []string{"opt1"} },
			refused: "dhcp-off"},
		{name: "quote", want: quoted, refused: "bad-boot-file"},
		{name: "comma", want: comma, refused: "bad-boot-file"},
		{name: "old, all", version: "26.7.1", want: full, refused: "kea-version"},
		{name: "old, one", version: "26.7.1", want: one, shown: []string{"applies-others", "autocollect", "other-archs"}},
		{name: "older, all", version: "26.1.4", want: full, refused: "kea-version"},
		{name: "older, one", version: "26.1.4", want: one, shown: []string{"applies-others", "autocollect", "other-archs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			edit := c.edit
			if edit == nil {
				edit = func(*opnsensetest.Config) {}
			}
			f, s := stand(t, opnsensetest.Options{Version: c.version, Config: keaSite(edit)},
				func(c *Config) { c.Daemon = Kea })
			p := mustPlan(t, s, c.want)
			q, refused := p.Refused()
			if refused != (c.refused != "") || q.Code != c.refused {
				t.Fatalf("refused: %+v, want %q", p.Problems, c.refused)
			}
			if refused {
				return
			}
			for _, code := range c.shown {
				if !slices.Contains(codes(p), code) {
					t.Errorf("%s is not shown: %+v", code, p.Problems)
				}
			}
			if err := s.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if again := mustPlan(t, s, c.want); !again.Empty() {
				t.Errorf("after it the plan is not empty: %s", again.Before.Raw)
			}
			if k := f.Config().Kea; c.version != "" && (k.Subnets[0].Option != ntpUUID || len(k.Options) != 1) {
				t.Errorf("options were written before 26.7.2: %+v", k.Options)
			}
		})
	}
}

func TestFindKea(t *testing.T) {
	lan := keaSubnet{UUID: "a", Subnet: "10.77.0.0/24", Description: "Office"}
	guest := keaSubnet{UUID: "b", Subnet: "10.78.0.1/24", Description: "GUEST"}
	broken := keaSubnet{UUID: "c", Subnet: "x", Description: "lan"}
	office := Interface{Name: "lan", Description: "Office"}
	addressed := Interface{Name: "opt1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/16")}}
	serves := func(names ...string) keaSettings {
		var k keaSettings
		k.Interfaces.Members = map[string]selectable{}
		for _, n := range names {
			k.Interfaces.Members[n] = selectable{Selected: "1"}
		}
		return k
	}
	for _, c := range []struct {
		name    string
		iface   Interface
		kea     keaSettings
		subnets []keaSubnet
		want    string
	}{
		{"by its address", addressed, serves(), []keaSubnet{guest, lan}, "a"},
		{"not by a description where its address is known", addressed, serves("opt1"), []keaSubnet{guest}, ""},
		{"by its description", office, serves("lan", "opt1"), []keaSubnet{lan, guest, broken}, "a"},
		{"by its identifier", Interface{Name: "guest"}, serves(), []keaSubnet{lan, guest}, "b"},
		{"the only one", Interface{Name: "lan"}, serves("lan"), []keaSubnet{guest, broken}, "b"},
		{"the only one, for two interfaces", Interface{Name: "lan"}, serves("lan", "opt1"), []keaSubnet{guest}, ""},
		{"two for one interface", Interface{Name: "lan"}, serves("lan"), []keaSubnet{lan, guest}, ""},
		{"two of that description", office, serves("lan"), []keaSubnet{lan, {UUID: "d", Subnet: "10.79.0.0/24",
			Description: "office"}}, ""},
		{"none", office, serves("lan"), nil, ""},
	} {
		s, err := findKea(c.iface, c.kea, c.subnets)
		if s.UUID != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrNoInterface) {
			t.Errorf("%s: %q, %v", c.name, s.UUID, err)
		}
	}
}

// Reservations with settings of their own are told of.
func TestKeaReservations(t *testing.T) {
	var list []keaReservation
	err := json.Unmarshal([]byte(`[{"subnet":"`+subnetUUID+`","ip_address":"10.77.0.50","hw_address":"52:54:00:00:00:01",`+
		`"option_data.boot_file_name":"own.0","option":[]},{"subnet":"`+subnetUUID+`","ip_address":"10.77.0.51"},`+
		`{"subnet":"`+otherUUID+`","option_data.boot_file_name":"x"},{"subnet":"`+subnetUUID+`","hostname":"ws",`+
		`"ip_address":"10.77.0.52","option":"`+nameUUID+`"}]`), &list)
	if err != nil {
		t.Fatal(err)
	}
	v := keaView{Subnet: keaSubnet{UUID: subnetUUID}, Reservations: list,
		Options: []keaOption{{UUID: nameUUID, Code: "67", Data: "named.0"}}}
	got := v.reserved()
	if len(got) != 2 || !strings.Contains(got[0].Text, `10.77.0.50 (52:54:00:00:00:01)`) ||
		!strings.Contains(got[0].Text, `"own.0"`) || !strings.Contains(got[1].Text, `10.77.0.52 (ws)`) ||
		!strings.Contains(got[1].Text, `"named.0"`) || got[1].Code != "mapping" {
		t.Errorf("%+v", got)
	}
}

// The privilege for Kea is enough. With that for interfaces the subnet is known by its addresses, whatever it is
// called, and so are the firewall's offers.
func TestKeaPrivileges(t *testing.T) {
	for _, c := range []struct {
		name       string
		privileges []string
		subnet     string // its description
		own        []netip.Addr
		err        error
	}{
		{name: "Kea", privileges: []string{opnsensetest.PrivilegeKea}, subnet: "lan"},
		{name: "Kea, and no description", privileges: []string{opnsensetest.PrivilegeKea}, err: ErrNoInterface},
		{name: "Kea and interfaces", privileges: []string{opnsensetest.PrivilegeKea, opnsensetest.PrivilegeInterfaces},
			own: []netip.Addr{netip.MustParseAddr("10.77.0.1")}},
		{name: "all", subnet: "GUEST", own: []netip.Addr{netip.MustParseAddr("10.77.0.1")},
			privileges: []string{opnsensetest.PrivilegeKea, opnsensetest.PrivilegeInterfaces, opnsensetest.PrivilegeDnsmasq}},
		{name: "Dnsmasq", privileges: []string{opnsensetest.PrivilegeDnsmasq}, err: remote.ErrPrivilege},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, s := stand(t, opnsensetest.Options{Privileges: c.privileges, Config: keaSite(func(conf *opnsensetest.Config) {
				conf.Kea.Subnets[0].Description = c.subnet
			})}, func(conf *Config) { conf.Daemon = Kea })
			p, err := s.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
			if !errors.Is(err, c.err) || err == nil && c.err != nil {
				t.Fatalf("plan: %v, %+v", err, p.Problems)
			}
			if c.err != nil {
				return
			}
			if q, refused := p.Refused(); refused || !slices.Equal(p.Own, c.own) {
				t.Fatalf("refused: %+v; own addresses %v", q, p.Own)
			}
			if err := s.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if err := s.Revert(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			i, err := s.Found(t.Context())
			if err != nil || i.Daemon != Kea || len(i.Networks) != 1 || i.Networks[0].Masked().String() != "10.77.0.0/24" {
				t.Errorf("found %+v, %v", i, err)
			}
		})
	}
}
