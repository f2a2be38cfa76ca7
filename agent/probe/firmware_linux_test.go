package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// ours are the lines that name the boot files, as Dnsmasq has them in a drop-in.
var ours = []string{
	"--dhcp-match=set:efi64,option:client-arch,7", "--dhcp-match=set:efi64,option:client-arch,9",
	"--dhcp-match=set:bios,option:client-arch,0", "--dhcp-match=set:ipxe,175",
	"--dhcp-boot=tag:!ipxe,tag:bios,undionly.kpxe,,10.77.0.7", "--dhcp-boot=tag:!ipxe,tag:efi64,ipxe.efi,,10.77.0.7",
	"--dhcp-boot=tag:ipxe,http://10.77.0.7/ipxe/bootstrap.ipxe,,10.77.0.7",
}

// What stands beside the boot file in a real Dnsmasq's offers decides whether it is fetched.
func TestWhatElseDnsmasqSends(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	const bios, efi, script = "tftp://10.77.0.7/undionly.kpxe", "tftp://10.77.0.7/ipxe.efi",
		"http://10.77.0.7/ipxe/bootstrap.ipxe"
	for _, c := range []struct {
		name  string
		lines []string
		want  map[firmware.Client]string // URL, or what the reason says in round brackets
	}{
		{"nothing", nil, map[firmware.Client]string{
			firmware.ClientBIOS: bios, firmware.ClientEFI64: efi, firmware.ClientIPXE: script,
		}},
		{"a Raspberry Pi's menu for everybody", []string{`--pxe-service=0,Raspberry Pi Boot`}, map[firmware.Client]string{
			firmware.ClientBIOS: "(10.77.0.1 sends the ROM to the local disk: that is the first line of its boot menu " +
				"(option 43))",
			firmware.ClientEFI64: efi,
			firmware.ClientIPXE: "(10.77.0.1 sends iPXE to the local disk: that is the first line of its boot menu (option " +
				"43))",
		}},
		{"a Raspberry Pi's menu for others", []string{`--dhcp-mac=set:rpi,dc:a6:32:*:*:*`,
			`--pxe-service=tag:rpi,0,Raspberry Pi Boot`},
			map[firmware.Client]string{firmware.ClientBIOS: bios, firmware.ClientEFI64: efi, firmware.ClientIPXE: script}},
		{"a menu with a prompt", []string{`--pxe-prompt=Press F8 for menu.,1`,
			`--pxe-service=x86PC,Install CentOS 7,pxelinux`},
			map[firmware.Client]string{
				firmware.ClientBIOS: "tftp://10.77.0.1/pxelinux.0", firmware.ClientEFI64: efi,
				firmware.ClientIPXE: "tftp://10.77.0.1/pxelinux.0",
			}},
		{"one line for UEFI", []string{`--pxe-service=X86-64_EFI,EFI,other.efi`}, map[firmware.Client]string{
			firmware.ClientBIOS:  bios,
			firmware.ClientEFI64: "(10.77.0.1 calls itself a PXE server (option 60), and nothing answers at its port 4011)",
		}},
		// The plan refuses these lines, and says the same of them: see raw43 of package dnsmasq.
		{"a raw menu with the local disk", []string{"--dhcp-option=60,PXEClient",
			"--dhcp-option=43,09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff"}, map[firmware.Client]string{
			firmware.ClientBIOS: "(10.77.0.1 sends the ROM to the local disk: that is the first line of its boot menu " +
				"(option 43))",
			firmware.ClientEFI64: "(10.77.0.1 sends UEFI to the local disk: the first line of its boot menu is the local disk " +
				"(option 43))",
			firmware.ClientIPXE: "(10.77.0.1 sends iPXE to the local disk: that is the first line of its boot menu (option " +
				"43))",
		}},
		{"a raw menu and the order to use the boot file", []string{"--dhcp-option=60,PXEClient",
			"--dhcp-option=43,06:01:0b:09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff"},
			map[firmware.Client]string{firmware.ClientBIOS: bios, firmware.ClientEFI64: efi, firmware.ClientIPXE: script}},
		{"a raw menu and no PXEClient", []string{"--dhcp-option=43,09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff"},
			map[firmware.Client]string{firmware.ClientBIOS: bios, firmware.ClientEFI64: efi, firmware.ClientIPXE: script}},
		{"no router", []string{"--dhcp-option=3", "--dhcp-boot=ipxe.efi,,192.168.50.7"}, map[firmware.Client]string{
			firmware.ClientEFI32: "(192.168.50.7 is outside the machine's network 10.77.0.0/24, and 10.77.0.1 offers no " +
				"router (option 3))",
		}},
		{"a URL without HTTPClient", []string{"--dhcp-match=set:http,option:client-arch,16",
			"--dhcp-boot=tag:http,http://10.77.0.7/ipxe.efi"},
			map[firmware.Client]string{
				firmware.ClientHTTP64: "(10.77.0.1 sends a URL without HTTPClient in option 60, and UEFI HTTP boot ignores it)",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lab.NewSegment(t)
			p := s.Host("server", "eth1", "10.77.0.1/24").Dnsmasq(append(append([]string{
				"--interface=eth1", "--dhcp-range=10.77.0.50,10.77.0.60", "--no-ping"}, ours...), c.lines...)...)
			var clients []firmware.Client
			for client := range c.want {
				clients = append(clients, client)
			}
			r := probeFrom(t, s.Host("client", "eth1", "10.77.0.9/24"), Config{Clients: clients})
			for client, want := range c.want {
				path := dhcp.Paths(dhcp.Boot{}, []firmware.Client{client}, r.Offers)[0]
				got := path.URL
				if got == "" {
					got = "(" + path.Reason + ")"
				}
				if got != want {
					t.Errorf("%s: %s, want %s", client, got, want)
				}
			}
			noLeases(t, p)
		})
	}
}

// What is desired is not called proven where a menu leads elsewhere, and the reason is given; a menu of others' is no
// matter.
func TestMenusAreJudged(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	for lines, reason := range map[string]string{
		"--pxe-service=0,Raspberry":                                           "sends the ROM to the local disk",
		"--pxe-prompt=Press F8,1 --pxe-service=x86PC,CentOS,pxelinux":         `bios: a boot menu (option 43) leads to 10.77.0.1, which names "pxelinux.0" at 10.77.0.1, want tftp://10.77.0.7/undionly.kpxe`,
		"--dhcp-mac=set:rpi,dc:a6:32:*:*:* --pxe-service=tag:rpi,0,Raspberry": "",
	} {
		t.Run(lines, func(t *testing.T) {
			s := lab.NewSegment(t)
			args := append([]string{"--interface=eth1", "--dhcp-range=10.77.0.50,10.77.0.60", "--no-ping"}, ours...)
			for line := range strings.SplitSeq(lines, " --") {
				args = append(args, "--"+strings.TrimPrefix(line, "--"))
			}
			s.Host("server", "eth1", "10.77.0.1/24").Dnsmasq(args...)
			r := probeFrom(t, s.Host("client", "eth1", "10.77.0.9/24"), Config{Clients: dhcp.ProbeClients(want)})
			v := dhcp.Verify(want, dhcp.Plan{Own: []netip.Addr{netip.MustParseAddr("10.77.0.1")}}, r.Offers)
			text := fmt.Sprint(v.Wrong)
			if v.Agrees() != (reason == "") || !strings.Contains(text, reason) {
				t.Errorf("agrees %v: %s", v.Agrees(), text)
			}
			findings := Judge(want, r)
			if got := Sum(r, findings); (got == VerdictOK) != (reason == "") {
				t.Errorf("%s: %+v", got, findings)
			}
		})
	}
}

// Kea ends its packets with option 67 and no NUL. Alone it boots UEFI; a proxyDHCP server beside it ends that.
func TestKeaBesideAProxy(t *testing.T) {
	lab.Need(t, "kea-dhcp4", "dnsmasq")
	t.Parallel()
	const conf = `{"Dhcp4": {"interfaces-config": {"interfaces": ["eth1"]}, "lease-database": {"type": "memfile", "persist": false},
		"subnet4": [{"id": 1, "subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.50 - 10.77.0.60"}],
		"next-server": "10.77.0.7", "option-data": [{"name": "boot-file-name", "data": "ipxe.efi"}]}]}}`
	desired := dhcp.Boot{NextServer: next}
	desired.NBP[firmware.EFI64] = "ipxe.efi"
	p := dhcp.Plan{Own: []netip.Addr{netip.MustParseAddr("10.77.0.1")}}
	s := lab.NewSegment(t)
	s.Host("kea", "eth1", "10.77.0.1/24").Kea(conf)
	client := s.Host("client", "eth1", "10.77.0.9/24")
	ask := func() dhcp.Verdict {
		r := probeFrom(t, client, Config{Clients: dhcp.ProbeClients(desired)})
		return dhcp.Verify(desired, p, r.Offers)
	}
	if v := ask(); !v.Agrees() || len(v.Foreign) > 0 {
		t.Errorf("alone: %+v", v)
	}
	s.Host("proxy", "eth1", "10.77.0.2/24").Dnsmasq("--interface=eth1", "--dhcp-range=10.77.0.0,proxy",
		"--pxe-service=X86-64_EFI,EFI,ipxe.efi,10.77.0.7", "--pxe-service=BC_EFI,EFI,ipxe.efi,10.77.0.7")
	const reason = "efi64 from 10.77.0.2: another proxyDHCP server leads machines astray: option 67 of 10.77.0.1 is its " +
		"last option and has no NUL"
	if v := ask(); !v.Agrees() || !strings.Contains(fmt.Sprint(v.Foreign), reason) {
		t.Errorf("beside a proxy: %+v", v)
	}
}

// The device has addresses in two networks, the first of which is another than that of the leases. A boot server that
// is asked for an item answers to where the question came from.
func TestBootServerOnADeviceWithTwoAddresses(t *testing.T) {
	lab.Need(t, "dnsmasq", "dhcpd")
	t.Parallel()
	s := lab.NewSegment(t)
	box := s.Host("box", "eth1", "10.77.0.7/24", "192.168.50.1/24")
	s.Host("isc", "eth1", "192.168.50.2/24").ISC(`authoritative; subnet 192.168.50.0 netmask 255.255.255.0 {
		range 192.168.50.100 192.168.50.120; ping-check false; }`, "eth1")
	box.Dnsmasq("--interface=eth1", "--dhcp-range=192.168.50.0,proxy", "--dhcp-range=10.77.0.0,proxy",
		"--pxe-prompt=Boot,0", "--pxe-service=x86PC,Boot,undionly.kpxe,192.168.50.1",
		"--pxe-service=X86-64_EFI,Boot,ipxe.efi,192.168.50.1")
	for where, h := range map[string]*lab.Host{"on the server": box,
		"beside it": s.Host("client", "eth1", "10.77.0.9/24", "192.168.50.9/24")} {
		r := probeFrom(t, h, Config{Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}})
		for client, want := range map[firmware.Client]string{
			firmware.ClientBIOS:  "tftp://192.168.50.1/undionly.kpxe",
			firmware.ClientEFI64: "tftp://192.168.50.1/ipxe.efi",
		} {
			if d := firmware.Decide(client, r.Offers); d.URL != want {
				t.Errorf("%s, %s: %q (%s), want %q; notes %q", where, client, d.URL, d.Reason, want, r.Notes)
			}
		}
	}
}

// Two proxyDHCP servers, in different networks of one cable: each is asked from the address in its own.
func TestProxiesInTwoNetworks(t *testing.T) {
	lab.Need(t, "dnsmasq", "dhcpd")
	t.Parallel()
	s := lab.NewSegment(t)
	s.Host("isc", "eth1", "192.168.50.2/24").ISC(`authoritative; subnet 192.168.50.0 netmask 255.255.255.0 {
		range 192.168.50.100 192.168.50.120; ping-check false; option routers 192.168.50.2; }`, "eth1")
	s.Host("bios", "eth1", "10.77.0.1/24").Dnsmasq("--interface=eth1", "--dhcp-range=10.77.0.0,proxy",
		"--dhcp-match=set:other,option:client-arch,7", "--dhcp-ignore=tag:other", // each is for machines of one kind alone
		"--pxe-prompt=Boot,0", "--pxe-service=x86PC,Boot,undionly.kpxe,10.77.0.1")
	s.Host("uefi", "eth1", "192.168.50.1/24").Dnsmasq("--interface=eth1", "--dhcp-range=192.168.50.0,proxy",
		"--dhcp-match=set:other,option:client-arch,0", "--dhcp-ignore=tag:other",
		"--pxe-service=X86-64_EFI,Boot,ipxe.efi,192.168.50.1")
	r := probeFrom(t, s.Host("client", "eth1", "10.77.0.9/24", "192.168.50.9/24"),
		Config{Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}})
	for _, want := range []struct {
		client firmware.Client
		server string
	}{{firmware.ClientBIOS, "10.77.0.1"}, {firmware.ClientEFI64, "192.168.50.1"}} {
		if !slices.ContainsFunc(r.Offers, func(o firmware.Offer) bool {
			return o.Client == want.client && o.Ask != nil && !o.Silent && o.From.String() == want.server && o.File != ""
		}) {
			t.Errorf("%s: %s does not answer at port 4011: notes %q", want.client, want.server, r.Notes)
		}
	}
}
