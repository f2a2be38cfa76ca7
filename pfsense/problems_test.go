package pfsense

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// codes are the problems' codes in order, a refusing one with an exclamation mark.
func codes(problems []dhcp.Problem) []string {
	var all []string
	for _, q := range problems {
		code := q.Code
		if q.Refuse {
			code += "!"
		}
		all = append(all, code)
	}
	return all
}

// desired is what the agent configures: neither 32-bit EFI nor 32-bit ARM, one URL.
func desired() dhcp.Boot {
	b := testBoot("10.99.0.5")
	b.NBP[firmware.EFI32], b.NBP[firmware.ARM32] = "", ""
	b.URL = [firmware.NumArch]string{}
	return b
}

func TestProblems(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	h := wire{s: s, keeps: s.interpreter()}
	// The notes for the default configuration: a mapping, and the BIOS file for architectures without their own.
	base := []string{"other-archs", "mapping"}
	option := func(number, text string) func(tree) {
		return func(c tree) {
			at(c, "dhcpd", "opt1")["numberoptions"] = tree{"item": []any{tree{"number": number, "type": "text",
				"value": encoded(text)}}}
		}
	}
	opt1 := func(key string, value any) func(tree) {
		return func(c tree) { at(c, "dhcpd", "opt1")[key] = value }
	}
	top := func(key string, value any) func(tree) { return func(c tree) { c[key] = value } }
	kea := top("dhcpbackend", "kea")
	all := func(edits ...func(tree)) func(tree) {
		return func(c tree) {
			for _, e := range edits {
				e(c)
			}
		}
	}
	pool := func(change tree) func(tree) {
		p := tree{"descr": "extra", "range": tree{"from": "10.99.0.160", "to": "10.99.0.169"}}
		for k, v := range change {
			p[k] = v
		}
		return opt1("pool", []any{p})
	}
	carp := func(skew string) func(tree) {
		return top("virtualip", tree{"vip": []any{tree{"mode": "carp", "interface": "opt1", "advskew": skew,
			"subnet": "10.99.0.254"},
			tree{"mode": "ipalias", "interface": "opt1", "subnet": "10.99.0.253"},
			tree{"mode": "carp", "interface": "lan", "advskew": "100", "subnet": "192.168.1.254"}}})
	}
	off := func(b *dhcp.Boot) { *b = dhcp.Boot{} }
	on := all(opt1("netboot", ""), opt1("nextserver", "10.99.0.5"), opt1("filename", "undionly.kpxe"))
	for _, c := range []struct {
		name string
		edit func(tree)
		want func(*dhcp.Boot)
		adds []string // besides base
		text string   // in one of them
		less []string // of base
	}{
		{name: "nothing", edit: func(tree) {},
			text: `static mapping of "node-b" (02:00:00:00:aa:02) has its own boot settings: nextserver "10.99.0.77", ` +
				`filename "node-b.kpxe", filename64 "node-b.efi"`},
		{name: "archs", edit: func(tree) {}, text: "efi32, arm32"},
		{name: "relay", edit: top("dhcrelay", tree{"enable": "", "interface": "opt1"}), adds: []string{"relay!"}},
		{name: "relay off", edit: top("dhcrelay", tree{"interface": "opt1"})},
		{name: "off", edit: func(c tree) { delete(at(c, "dhcpd", "opt1"), "enable") }, adds: []string{"dhcp-off!"}},
		{name: "no section", edit: func(c tree) { delete(at(c, "dhcpd"), "opt1") }, adds: []string{"no-dhcp!"}, less: base},
		{name: "empty section", edit: func(c tree) { at(c, "dhcpd")["opt1"] = "" }, adds: []string{"no-dhcp!"}, less: base},
		{name: "no sections", edit: top("dhcpd", ""), adds: []string{"no-dhcp!"}, less: base},
		{name: "script", edit: func(tree) {}, want: func(b *dhcp.Boot) {
			b.Script = "http://10.99.0.5/ipxe/bootstrap.ipxe"
		}, adds: []string{"no-script"}},
		{name: "URL", edit: func(tree) {}, want: func(b *dhcp.Boot) {
			b.URL[firmware.EFI64] = "http://10.99.0.5/ipxe.efi"
		}, adds: []string{"http-option-60", "other-archs-url"}, text: "efi32, arm32, arm64"},
		{name: "URL by Kea", edit: kea, want: func(b *dhcp.Boot) {
			b.URL[firmware.EFI64] = "http://10.99.0.5/ipxe.efi"
		}, adds: []string{"not-running", "no-http-boot"}, text: "Kea ignores them"},
		{name: "URL by Kea with JSON of the site's own", edit: all(kea, opt1("custom_kea_config", encoded("{}"))),
			want: func(b *dhcp.Boot) {
				b.URL[firmware.EFI64] = "http://10.99.0.5/ipxe.efi"
			},
			adds: []string{"not-running", "kea-custom", "other-archs-url"}},
		{name: "the same for all", edit: all(kea, top("kea", tree{"custom_kea_config": encoded("{}")})),
			want: func(b *dhcp.Boot) {
				b.URL[firmware.EFI64] = "http://10.99.0.5/ipxe.efi"
			},
			adds: []string{"not-running", "kea-custom", "other-archs-url"}},
		{name: "pool", edit: pool(tree{"netboot": "", "nextserver": "10.99.0.6", "filename": "pool.kpxe",
			"rootpath": "iscsi:x"}), adds: []string{"pool"},
			text: `the pool "extra" (10.99.0.160-10.99.0.169) has its own boot settings: nextserver "10.99.0.6", ` +
				`filename "pool.kpxe", rootpath "iscsi:x"`},
		{name: "pool that is off", edit: pool(tree{"nextserver": "10.99.0.6", "filename": "pool.kpxe"})},
		{name: "mapping with a flag alone", edit: opt1("staticmap", []any{tree{"mac": "02:00:00:00:aa:03", "netboot": ""}}),
			text: "02:00:00:00:aa:03 has its own boot settings: netboot without a file"},
		{name: "mapping with a file alone", edit: opt1("staticmap",
			[]any{tree{"mac": "02:00:00:00:aa:03", "descr": "printer", "filename": "p"}}),
			text: `"printer" (02:00:00:00:aa:03)`},
		{name: "plain mapping", edit: opt1("staticmap", []any{tree{"mac": "02:00:00:00:aa:03", "filename": ""}}),
			less: []string{"mapping"}},
		{name: "no mappings", edit: opt1("staticmap", ""), less: []string{"mapping"}},
		{name: "deny unknown, as it was long ago", edit: opt1("denyunknown", ""), adds: []string{"deny-unknown"},
			text: "probe.mac"},
		{name: "deny unknown", edit: opt1("denyunknown", "class"), adds: []string{"deny-unknown"}},
		{name: "deny unknown in a pool", edit: pool(tree{"denyunknown": "enabled"}), adds: []string{"deny-unknown"},
			text: "the pool"},
		{name: "deny unknown that is off", edit: opt1("denyunknown", "disabled")},
		{name: "MACs", edit: opt1("mac_allow", "02:00:00"), adds: []string{"mac-filter"}, text: `allow "02:00:00"`},
		{name: "MACs denied", edit: pool(tree{"mac_deny": "02:00:00"}), adds: []string{"mac-filter"}},
		{name: "tftp", edit: opt1("tftp", "boot.example"), adds: []string{"option-66"}, text: "boot.example"},
		{name: "tftp that agrees", edit: opt1("tftp", "10.99.0.5")},
		{name: "root path", edit: opt1("rootpath", "iscsi:10.99.0.9::::x"), adds: []string{"root-path"}},
		{name: "option 66", edit: option("66", "10.99.0.8"), adds: []string{"option-66"}, text: `"10.99.0.8"`},
		{name: "option 66 that agrees", edit: option("66", "10.99.0.5")},
		{name: "option 67", edit: option("67", "pxelinux.0"), adds: []string{"option-67!"}, text: `"pxelinux.0"`},
		{name: "option 67 of another architecture", edit: option("67", "undionly.kpxe"), adds: []string{"option-67!"},
			text: "of every architecture"},
		{name: "option 67 that agrees", edit: option("67", "undionly.kpxe"), want: func(b *dhcp.Boot) {
			b.NBP = [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe"}
		}},
		{name: "off with option 66", edit: all(on, option("66", "10.99.0.5")), want: off, less: base,
			adds: []string{"still-boots!"}, text: "remove it first"},
		{name: "off with option 67", edit: all(on, option("67", "x")), want: off, less: base,
			adds: []string{"still-boots!"}},
		{name: "off with a TFTP server", edit: all(on, opt1("tftp", "x")), want: off, less: base,
			adds: []string{"still-boots!"}, text: "empty that field"},
		{name: "off with option 67 at Kea", edit: all(on, option("67", "x"), kea), want: off, less: base},
		{name: "option 60", edit: option("60", "PXEClient"), adds: []string{"option-60"}},
		{name: "option 67 at Kea", edit: all(kea, option("67", "pxelinux.0")), adds: []string{"not-running"}},
		{name: "elsewhere", edit: func(tree) {}, want: func(b *dhcp.Boot) {
			b.NextServer = netip.MustParseAddr("192.168.1.5")
		}, adds: []string{"next-server-elsewhere"}, text: "10.99.0.0/24"},
		{name: "primary by CARP", edit: all(carp("0"), opt1("failover_peerip", "10.99.0.3"),
			top("hasync", tree{"synchronizetoip": "10.0.0.2"})), adds: []string{"ha-primary"}},
		{name: "secondary by CARP", edit: carp("100"), adds: []string{"ha-secondary!"}},
		{name: "secondary that copies on", edit: all(carp("100"), top("hasync", tree{"synchronizetoip": "10.0.0.2"})),
			adds: []string{"ha-primary"}},
		{name: "secondary of Kea's", edit: all(kea, top("kea",
			tree{"ha": tree{"enable": "", "role": "standby", "remoteip": "10.99.0.2"}})),
			adds: []string{"ha-secondary!", "not-running"}},
		{name: "primary of Kea's", edit: all(kea, top("kea",
			tree{"ha": tree{"enable": "", "role": "primary", "remoteip": "10.99.0.2"}})), adds: []string{"not-running"}},
		{name: "Kea's pair with ISC", edit: top("kea", tree{"ha": tree{"enable": "", "role": "standby"}})},
		{name: "quote at another interface", edit: func(c tree) {
			at(c, "dhcpd", "lan")["filename64"] = `a"b`
		}, adds: []string{"unsafe-text!"}, text: `"lan/filename64" has a quote`},
		{name: "quote at one that is off", edit: func(c tree) {
			at(c, "dhcpd", "lan")["filename64"] = `a"b`
			delete(at(c, "dhcpd", "lan"), "enable")
		}},
		{name: "quote with network boot off", edit: func(c tree) {
			at(c, "dhcpd", "lan")["filename64"] = `a"b`
			delete(at(c, "dhcpd", "lan"), "netboot")
		}},
		{name: "quote in what is replaced", edit: all(opt1("filename64", `a"b`), opt1("netboot", ""))},
		{name: "quote in a mapping", edit: opt1("staticmap", []any{tree{"mac": "x", "filename": `"`}}),
			adds: []string{"unsafe-text!"}, text: `"opt1/staticmap/0/filename"`},
		{name: "quote in an option", edit: option("43", `"`), adds: []string{"unsafe-text!"},
			text: "numberoptions/item/0/value"},
		{name: "newline", edit: opt1("domain", "a\nb"), adds: []string{"unsafe-text!"}, text: "control character"},
		{name: "backslash", edit: opt1("rootpath", `a\`), adds: []string{"unsafe-text!", "root-path"},
			text: "ends in a backslash"},
		{name: "host name", edit: func(c tree) {
			at(c, "dhcpd", "lan")["nextserver"] = "boot.example"
		}, adds: []string{"unsafe-text!"}, text: "is not an IPv4 address"},
		{name: "secret", edit: opt1("ddnsdomainkey", `hunter2"`), adds: []string{"unsafe-text!"}, text: "opt1/ddnsdomainkey"},
	} {
		text := s.get("config.json")
		s.edit(c.edit)
		b := newServer(h, "ADMIN")
		want := desired()
		if c.want != nil {
			c.want(&want)
		}
		p := mustPlan(t, b, want)
		s.put("config.json", text)
		expect := append(slices.Clone(base), c.adds...)
		for _, l := range c.less {
			if i := slices.Index(expect, l); i >= 0 {
				expect = slices.Delete(expect, i, i+1)
			}
		}
		got := codes(p.Problems)
		slices.Sort(got)
		slices.Sort(expect)
		if !slices.Equal(slices.Compact(got), slices.Compact(expect)) {
			t.Errorf("%s: %q, want %q", c.name, got, expect)
		}
		says := false
		for _, q := range p.Problems {
			says = says || strings.Contains(q.Text, c.text)
			if strings.Contains(q.Text, "hunter2") {
				t.Errorf("%s: a secret is shown: %s", c.name, q.Text)
			}
		}
		if !says && c.text != "" {
			t.Errorf("%s: %q is not in %+v", c.name, c.text, p.Problems)
		}
		if p.After.Boot.Script != "" {
			t.Errorf("%s: a script is said to be sent", c.name)
		}
	}
}

// The documentation of Plan names every code that there is, under what it does.
func TestCodesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("plan.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "problems have these codes. These refuse:")
	text, _, _ = strings.Cut(text, "//\n")
	refuses, shown, _ := strings.Cut(text, "These are only shown:")
	made := regexp.MustCompile(`(dhcp\.Note|dhcp\.Refusal|add)\("([a-z0-9-]+)"`)
	word := regexp.MustCompile(`[a-z0-9]+(-[a-z0-9]+)*`)
	said := append(word.FindAllString(refuses, -1), word.FindAllString(shown, -1)...)
	for _, file := range []string{"../agent/dhcp/values.go", "values.go", "kea_class.go", "problems.go",
		"problems_wire.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := made.FindAllSubmatch(source, -1)
		if len(found) == 0 {
			t.Errorf("%s makes %d problems", file, len(found))
		}
		for _, m := range found {
			code, list := string(m[2]), shown
			if filepath.Base(file) == "values.go" || string(m[1]) == "dhcp.Refusal" || file == "kea_class.go" &&
				string(m[1]) == "add" {
				list = refuses
			}
			if !slices.Contains(word.FindAllString(list, -1), code) {
				t.Errorf("%s: %s is not in the list of Plan", file, code)
			}
			said = slices.DeleteFunc(said, func(w string) bool { return w == code })
		}
	}
	if left := slices.DeleteFunc(said, func(w string) bool { return w == "hey" || w == "refuse" }); len(left) > 0 {
		t.Errorf("Plan lists %q, which nothing makes", left)
	}
}

func TestOwnAndPeers(t *testing.T) {
	f := firewall{KeaHA: &keaHA{Role: "primary", Peer: "10.99.0.3"}}
	p := iface{ID: "opt1", Addr: "10.99.0.1", Bits: "24", VIPs: []string{"10.99.0.254", "fd00::1"},
		DHCP: &section{Failover: "10.99.0.2"}}
	plan, err := f.plan(p, dhcp.Boot{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if a := netip.MustParseAddr; !slices.Equal(plan.Own, []netip.Addr{a("10.99.0.1"), a("10.99.0.254")}) ||
		!slices.Equal(plan.Peers, []netip.Addr{a("10.99.0.2"), a("10.99.0.3")}) {
		t.Errorf("own %v, peers %v", plan.Own, plan.Peers)
	}
}

// Disabling what is disabled has no problems; disabling what is enabled only those that would do harm.
func TestProblemsOfTurningOff(t *testing.T) {
	p := iface{ID: "opt1", DHCP: &section{}}
	f := firewall{Engine: "isc", Relay: true, Dirty: true}
	if plan, err := f.plan(p, dhcp.Boot{}, false); err != nil || !plan.Empty() || len(plan.Problems) > 0 {
		t.Errorf("%+v %v", plan, err)
	}
	p.DHCP.Keys = keysOf(map[string]string{"netboot": "", "nextserver": "10.0.0.7", "filename": "a"})
	plan, err := f.plan(p, dhcp.Boot{}, false)
	if err != nil || plan.Empty() || !slices.Equal(codes(plan.Problems), []string{"unapplied!"}) {
		t.Errorf("%+v %v", plan, err)
	}
}

func TestPoolFull(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	s.edit(func(c tree) {
		at(c, "dhcpd", "opt1")["range"] = tree{"from": "10.99.0.100", "to": "10.99.0.101"}
		at(c, "dhcpd", "opt1")["pool"] = ""
	})
	lease := func(addr, state string) string {
		return "lease " + addr + " {\n  starts 1 2026/11/22 10:00:00;\n  binding state " + state +
			";\n  next binding state free;\n}\n"
	}
	full := func() bool {
		p := mustPlan(t, s.server("admin"), desired())
		return slices.Contains(codes(p.Problems), "pool-full")
	}
	if full() {
		t.Error("full with no lease file")
	}
	s.put("chroot/var/db/dhcpd.leases", "# header\nserver-duid \"x\";\n"+lease("10.99.0.100",
		"active")+lease("10.99.0.101", "active")+lease("10.99.0.105", "active"))
	if !full() {
		t.Error("not full with two of two leased")
	}
	s.put("chroot/var/db/dhcpd.leases", lease("10.99.0.100", "active")+lease("10.99.0.101",
		"active")+lease("10.99.0.101", "free"))
	if full() {
		t.Error("full with one of two released")
	}
}

// Kea's files are at fixed places, of which the test moves one into its folder.
func TestPoolFullAtKea(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	s.edit(func(c tree) {
		c["dhcpbackend"] = "kea"
		at(c, "dhcpd", "opt1")["range"] = tree{"from": "10.99.0.100", "to": "10.99.0.101"}
		at(c, "dhcpd", "opt1")["pool"] = ""
	})
	const header = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
	lease := func(addr, expire, state string) string {
		return addr + ",02:00:00:00:00:01,,7200," + expire + ",2,0,0,," + state + ",,0\n"
	}
	const later, before = "4102444800", "1700000000"
	w := wire{s: s, keeps: s.interpreter(), patch: strings.NewReplacer("/var/lib/kea/", s.path("kea")+"/")}
	for _, c := range []struct {
		name, older, newer string
		full               bool
	}{
		{"two of two", "", header + lease("10.99.0.100", later, "0") + lease("10.99.0.101", later, "0"), true},
		{"one in the older half", header + lease("10.99.0.100", later, "0"), header + lease("10.99.0.101", later, "0"), true},
		{"one expired", "", header + lease("10.99.0.100", later, "0") + lease("10.99.0.101", before, "0"), false},
		{"one declined", "", header + lease("10.99.0.100", later, "0") + lease("10.99.0.101", later, "1"), false},
		{"one released since", header + lease("10.99.0.100", later, "0"), header + lease("10.99.0.101", later, "0") +
			lease("10.99.0.100", "0", "0"), false},
		{"none", "", header, false},
	} {
		s.put("kea/dhcp4.leases.2", c.older)
		s.put("kea/dhcp4.leases", c.newer)
		p := mustPlan(t, newServer(w, "admin"), desired())
		if got := slices.Contains(codes(p.Problems), "pool-full"); got != c.full {
			t.Errorf("%s: full %v", c.name, got)
		}
	}
}

func TestFind(t *testing.T) {
	f := firewall{Interfaces: []iface{{ID: "wan", Descr: "WAN", Device: "igb0"}, {ID: "lan", Device: "igb1"},
		{ID: "opt1", Descr: "ADMIN", Device: "igb2"},
		{ID: "opt2", Descr: "opt1", Device: "igb3"}, {ID: "opt3", Descr: "Lab", Device: "igb2.30"},
		{ID: "opt4", Descr: "LAB", Device: "igb5"}}}
	for name, want := range map[string]string{"admin": "opt1", "ADMIN": "opt1", "igb2": "opt1", "igb2.30": "opt3",
		"LAN": "lan", "wan": "wan", "OPT2": "opt2", "opt4": "opt4"} {
		if p, err := f.find(name); err != nil || p.ID != want {
			t.Errorf("%s is %s, %v; want %s", name, p.ID, err, want)
		}
	}
	for name, want := range map[string]error{"dmz": ErrNoInterface, "": ErrNoInterface, "IGB2": ErrNoInterface,
		"igb": ErrNoInterface, "lab": ErrAmbiguous, "opt1": ErrAmbiguous} {
		_, err := f.find(name)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), `"ADMIN" (opt1, igb2)`) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestInterfaces(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		s := newStub(t, age)
		list, err := s.server("").Interfaces(t.Context())
		if err != nil || len(list) != 4 {
			t.Fatalf("%v %v", list, err)
		}
		i := slices.IndexFunc(list, func(i Interface) bool { return i.ID == "lan" })
		lan := list[i]
		b := dhcp.Boot{NextServer: netip.MustParseAddr("192.168.1.9")}
		for a := range b.NBP {
			b.NBP[a] = "pxelinux.0"
		}
		if lan != (Interface{Description: "LAN", ID: "lan", Device: "igb1",
			Network: netip.MustParsePrefix("192.168.1.0/24"), DHCP: true, Engine: "isc", Boot: b}) {
			t.Errorf("lan is %+v", lan)
		}
		i = slices.IndexFunc(list, func(i Interface) bool { return i.ID == "wan" })
		if wan := list[i]; wan.DHCP || wan.Network.IsValid() || wan.Boot != (dhcp.Boot{}) {
			t.Errorf("wan is %+v", wan)
		}
	}
}
