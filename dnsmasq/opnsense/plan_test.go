package opnsense

import (
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// keaServes makes Kea lease the addresses of lan.
func keaServes(c *opnsensetest.Config) {
	c.Dnsmasq.Enable = false
	c.Kea.Enabled, c.Kea.Interfaces = true, []string{"lan"}
	c.Kea.Subnets = []opnsensetest.Subnet{{UUID: "c632b5d1-7fd0-4aed-b08f-49372ce5cb6c", ID: "1", Subnet: "10.77.0.0/24"}}
}

// Which DHCP server is configured, and why not.
func TestChoice(t *testing.T) {
	onlyDnsmasq := []string{opnsensetest.PrivilegeDnsmasq}
	for _, c := range []struct {
		name       string
		edit       func(*opnsensetest.Config)
		daemon     Daemon
		privileges []string
		want       string // the daemon's name
		code, text string // of the refusal; "": none
	}{
		{name: "factory", want: "Dnsmasq"},
		{name: "dnsmasq", daemon: Dnsmasq, want: "Dnsmasq"},
		{name: "kea", edit: keaServes, want: "Kea"},
		{name: "kea where dnsmasq is wanted", edit: keaServes, daemon: Dnsmasq, want: "Dnsmasq", code: "kea",
			text: "dhcp.opnsense.server is dnsmasq"},
		{name: "dnsmasq where kea is wanted", daemon: Kea, want: "Kea", code: "dnsmasq",
			text: "dhcp.opnsense.server is kea"},
		{name: "kea that cannot be seen", edit: keaServes, privileges: onlyDnsmasq, want: "Dnsmasq", code: "dhcp-off",
			text: "whether Kea does cannot be seen: the key's user lacks page-dhcp-kea-v4"},
		{name: "only kea's right", edit: keaServes, privileges: []string{opnsensetest.PrivilegeKea}, want: "Kea"},
		{name: "only kea's right, and it is off", privileges: []string{opnsensetest.PrivilegeKea}, want: "Kea",
			code: "dhcp-off",
			text: "whether Dnsmasq leases addresses cannot be seen: the key's user lacks page-services-dnsforwarder"},
		{name: "off", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Enable = false }, want: "Dnsmasq", code: "dhcp-off",
			text: "Dnsmasq is off"},
		{name: "not selected", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Interfaces = []string{"opt1"} },
			want: "Dnsmasq", code: "dhcp-off", text: "it listens on opt1 only"},
		{name: "all selected", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Interfaces = nil }, want: "Dnsmasq"},
		{name: "no DHCP there", edit: func(c *opnsensetest.Config) { c.Dnsmasq.NoInterface = []string{"lan"} },
			want: "Dnsmasq", code: "dhcp-off", text: "Interface [no dhcp]"},
		{name: "no range", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Ranges = nil }, want: "Dnsmasq", code: "no-dhcp",
			text: "no DHCP range with IPv4"},
		{name: "IPv6 only", edit: func(c *opnsensetest.Config) {
			c.Dnsmasq.Ranges = []opnsensetest.Range{{Interface: "lan", StartAddr: "::100", EndAddr: "::1ff"}}
		}, want: "Dnsmasq", code: "no-dhcp"},
		{name: "another interface's range", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Ranges[0].Interface = "opt1" },
			want: "Dnsmasq", code: "no-dhcp"},
		{name: "a range of any interface", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Ranges[0].Interface = "" },
			want: "Dnsmasq"},
		{name: "any interface's range of another network",
			edit: func(c *opnsensetest.Config) {
				c.Dnsmasq.Ranges = []opnsensetest.Range{{StartAddr: "10.78.0.9", EndAddr: "10.78.0.20"}}
			},
			privileges: append(onlyDnsmasq, opnsensetest.PrivilegeInterfaces), want: "Dnsmasq", code: "no-dhcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := stand(t, opnsensetest.Options{Privileges: c.privileges}, func(conf *Config) { conf.Daemon = c.daemon })
			if c.edit != nil {
				f.Edit(c.edit)
				f.Apply()
			}
			err := s.with(t.Context(), func(h *session) error {
				got, err := h.choose(t.Context())
				if err != nil {
					return err
				}
				if name := got.way.daemon().Name; name != c.want {
					t.Errorf("chosen is %s, want %s", name, c.want)
				}
				switch {
				case c.code == "" && len(got.refusals) > 0:
					t.Errorf("refused: %+v", got.refusals)
				case c.code != "" && (len(got.refusals) != 1 || got.refusals[0].Code != c.code ||
					!got.refusals[0].Refuse || !strings.Contains(got.refusals[0].Text, c.text)):
					t.Errorf("refusals are %+v, want %s with %q", got.refusals, c.code, c.text)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Foreign rows are judged as the lines that the firewall makes of them.
func TestForeignRows(t *testing.T) {
	const theirs, tagged = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	match := func(c *opnsensetest.Config) {
		c.Dnsmasq.Tags = append(c.Dnsmasq.Tags, opnsensetest.Tag{UUID: tagged, Tag: "uefi"})
		c.Dnsmasq.Options = append(c.Dnsmasq.Options, opnsensetest.Option{
			UUID: theirs, Type: "match", Option: "93", SetTag: tagged, Value: "7"})
	}
	boot := func(b opnsensetest.Boot) func(*opnsensetest.Config) {
		b.UUID = theirs
		return func(c *opnsensetest.Config) { match(c); c.Dnsmasq.Boots = append(c.Dnsmasq.Boots, b) }
	}
	option := func(o opnsensetest.Option) func(*opnsensetest.Config) {
		o.UUID = tagged
		return func(c *opnsensetest.Config) { c.Dnsmasq.Options = append(c.Dnsmasq.Options, o) }
	}
	for _, c := range []struct {
		name       string
		edit       func(*opnsensetest.Config)
		later      bool // somebody adds it after pxeagent's
		code, text string
		refused    bool
	}{
		{name: "a tag that matches", edit: match, code: "other-match",
			text: "dhcp-match=set:uefi,93,7 (DHCP options / match)"},
		{name: "a boot entry before", edit: boot(opnsensetest.Boot{Interface: "lan", Tag: tagged, Filename: "x.efi",
			Description: "Windows"}), code: "other-boot",
			text: `dhcp-boot=tag:lan,tag:uefi,x.efi (DHCP options: Boot, "Windows")`},
		{name: "a boot entry after", edit: boot(opnsensetest.Boot{Tag: tagged, Filename: "x.efi"}), later: true,
			code: "overridden", refused: true},
		{name: "one for another interface", edit: boot(opnsensetest.Boot{Interface: "opt1", Filename: "x.efi"}),
			later: true},
		{name: "one for pxeagent's tag", edit: func(c *opnsensetest.Config) {
			c.Dnsmasq.Boots = append(c.Dnsmasq.Boots, opnsensetest.Boot{UUID: theirs, Filename: "x.efi",
				Tag: own{"lan"}.uuid(tags, "efi64")})
		}, later: true, code: "overridden", refused: true},
		{name: "option 67", edit: option(opnsensetest.Option{Type: "set", Option: "67", Value: "other.0"}),
			code: "second-boot-file", refused: true},
		{name: "option 67 elsewhere", edit: option(opnsensetest.Option{Type: "set", Option: "67", Value: "other.0",
			Interface: "opt1"})},
		{name: "a quote", edit: option(opnsensetest.Option{Type: "set", Option: "15", Value: `a"b`, Interface: "opt1"}),
			code: "unsafe-text", refused: true},
		{name: "two quotes", edit: option(opnsensetest.Option{Type: "set", Option: "15", Value: `"a,b"`})},
		{name: "a line break", edit: boot(opnsensetest.Boot{Filename: "x\nport=0"}), code: "unsafe-text", refused: true},
		{name: "a tag's name", edit: func(c *opnsensetest.Config) {
			c.Dnsmasq.Tags = append(c.Dnsmasq.Tags, opnsensetest.Tag{UUID: tagged, Tag: "pxeagentlanefi64"})
		}, code: "tag-taken", refused: true},
		{name: "only known machines", edit: func(c *opnsensetest.Config) { c.Dnsmasq.Ranges[0].Mode = "static" },
			code: "only-known", refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := stand(t, opnsensetest.Options{})
			want := dhcptest.FullBoot("10.77.0.5")
			if c.later {
				mustApply(t, s, want)
				want = dhcptest.FullBoot("10.77.0.6")
			}
			f.Edit(c.edit)
			p := mustPlan(t, s, want)
			var found []dhcp.Problem
			for _, q := range p.Problems {
				if !slices.Contains([]string{"applies-others", "restarts-dns", "ha"}, q.Code) &&
					(q.Code == c.code || q.Code != "other-match") {
					found = append(found, q)
				}
			}
			if c.code == "" && len(found) > 0 {
				t.Errorf("problems: %+v", found)
			}
			if c.code != "" && (len(found) != 1 || found[0].Code != c.code || found[0].Refuse != c.refused ||
				!strings.Contains(found[0].Text, c.text)) {
				t.Errorf("problems: %+v, want %s with %q", found, c.code, c.text)
			}
			before := f.Config()
			if c.refused {
				if err := s.Apply(t.Context(), p); err == nil || !reflect.DeepEqual(f.Config(), before) {
					t.Errorf("a refused plan was carried out: %v", err)
				}
			}
		})
	}
}

// A foreign boot entry that stands after ours for BIOS and before the one that is added for UEFI defeats nothing, as
// the last that matches wins; for a BIOS machine it does.
func TestEntryBetween(t *testing.T) {
	for kind, refused := range map[string]bool{"efi64": false, "bios": true} {
		f, s := stand(t, opnsensetest.Options{})
		bios := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.5")}
		bios.NBP[firmware.BIOS] = "undionly.kpxe"
		mustApply(t, s, bios)
		f.Edit(func(c *opnsensetest.Config) {
			efi64 := opnsensetest.Tag{UUID: own{"lan"}.uuid(tags, "efi64"), Tag: "pxeagentlanefi64"}
			c.Dnsmasq.Tags = append(c.Dnsmasq.Tags, efi64)
			c.Dnsmasq.Boots = append(c.Dnsmasq.Boots, opnsensetest.Boot{UUID: "11111111-1111-4111-8111-111111111111",
				Tag: own{"lan"}.uuid(tags, kind), Filename: "x.efi"})
		})
		q, got := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5")).Refused()
		if got != refused || refused && q.Code != "overridden" {
			t.Errorf("%s: refused %v, %+v", kind, got, q)
		}
	}
}

// A tag of pxeagent's that somebody uses is not deleted, and nothing else is then.
func TestTagInUse(t *testing.T) {
	f, s := stand(t, opnsensetest.Options{})
	p := mustApply(t, s, dhcptest.FullBoot("10.77.0.5"))
	f.Edit(func(c *opnsensetest.Config) { c.Dnsmasq.Ranges[0].SetTag = own{"lan"}.uuid(tags, "bios") })
	before := f.Config()
	off := mustPlan(t, s, dhcp.Boot{})
	if q, refused := off.Refused(); !refused || q.Code != "tag-in-use" || !strings.Contains(q.Text, "pxeagentlanbios") {
		t.Errorf("turning it off: %+v", q)
	}
	if err := s.Revert(t.Context(), p); !errors.Is(err, ErrAPI) || !strings.Contains(err.Error(), "DHCP ranges") {
		t.Errorf("revert: %v", err)
	}
	if !reflect.DeepEqual(f.Config(), before) {
		t.Error("something was written")
	}
}

// Of a pair of firewalls the backup is not configured, where the key's user may see which it is.
func TestPairs(t *testing.T) {
	for state, want := range map[string]string{"BACKUP": "ha-secondary", "MASTER": "ha", "": ""} {
		f, s := stand(t, opnsensetest.Options{})
		carp := `, "vhid": "1", "status": "` + state + `"`
		if state == "" {
			carp = ""
		}
		f.Fault(func(_ int, r *http.Request) (wrong opnsensetest.Fault) {
			if strings.HasSuffix(r.URL.Path, "/export") {
				wrong = opnsensetest.Fault{Status: http.StatusOK, Body: `[{"identifier": "", "ipv4": []}, {"identifier": "lan",
					"ipv4": [{"ipaddr": "10.77.0.1/23"}, {"ipaddr": "10.77.0.254/23"` + carp + `}], "flags": ["up"]}]`}
			}
			return wrong
		})
		p := mustPlan(t, s, dhcptest.FullBoot("10.77.0.5"))
		got := slices.DeleteFunc(codes(p), func(c string) bool { return c == "applies-others" || c == "restarts-dns" })
		if strings.Join(got, " ") != want {
			t.Errorf("%q: problems are %v, want %q", state, got, want)
		}
		own := []netip.Addr{netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.254")}
		if !slices.Equal(p.Own, own) {
			t.Errorf("its addresses are %v", p.Own)
		}
		i, err := s.Found(t.Context())
		nets := []netip.Prefix{netip.MustParsePrefix("10.77.0.1/23")}
		if err != nil || i.Daemon != Dnsmasq || !slices.Equal(i.Networks, nets) {
			t.Errorf("found %+v, %v", i, err)
		}
	}
}

func TestInterfaces(t *testing.T) {
	for privilege, addresses := range map[string]int{"": 0, opnsensetest.PrivilegeInterfaces: 1} {
		privileges := []string{opnsensetest.PrivilegeDnsmasq, opnsensetest.PrivilegeKea, privilege}
		_, s := stand(t, opnsensetest.Options{Privileges: privileges}, func(c *Config) { c.Interface = "" })
		list, err := s.Interfaces(t.Context())
		if err != nil || len(list) != 3 {
			t.Fatalf("%+v, %v", list, err)
		}
		lan := list[slices.IndexFunc(list, func(i Interface) bool { return i.Name == "lan" })]
		if lan.Description != "LAN" || lan.Daemon != Dnsmasq || len(lan.Addresses) != addresses ||
			lan.Networks[0].Masked() != netip.MustParsePrefix("10.77.0.0/24") {
			t.Errorf("lan is %+v", lan)
		}
		for _, i := range list {
			if i.Name != "lan" && (i.Daemon != "" || i.Networks != nil) {
				t.Errorf("%+v leases", i)
			}
		}
	}
	_, s := stand(t, opnsensetest.Options{}, func(c *Config) { c.Interface = "guest" })
	if i, err := s.Found(t.Context()); err != nil || i.Name != "opt1" {
		t.Errorf("by its description: %+v, %v", i, err)
	}
}

// The network of a range is guessed where nothing tells it.
func TestNetworkOfRange(t *testing.T) {
	for l, want := range map[leases]string{
		{Start: "10.77.0.100", End: "10.77.0.199"}:                          "10.77.0.0/24",
		{Start: "10.77.0.200", End: "10.77.3.20"}:                           "10.77.0.0/22",
		{Start: "10.77.0.9"}:                                                "10.77.0.0/24",
		{Start: "1.0.0.0", End: "200.0.0.0"}:                                "0.0.0.0/0",
		{Start: "10.77.5.9", End: "10.77.5.20", Mask: "255.255.0.0"}:        "10.77.0.0/16",
		{Start: "10.77.5.9", End: "10.77.5.20", Mask: "255.0.255.0"}:        "10.77.5.0/24",
		{Start: "10.77.5.200", End: "10.77.5.210", Mask: "255.255.255.192"}: "10.77.5.192/26",
	} {
		if got, ok := l.network(); !ok || got.String() != want {
			t.Errorf("%+v is in %v, want %v", l, got, want)
		}
	}
}
