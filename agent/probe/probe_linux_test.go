package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// probeFrom runs a probe of eth1 in h. Its quiet time is short where cfg says nothing else.
func probeFrom(t *testing.T, h *lab.Host, cfg Config) Report {
	t.Helper()
	if !cfg.Server.IsValid() {
		cfg.Device = "eth1"
	}
	if cfg.Quiet == 0 {
		cfg.Quiet = 400 * time.Millisecond
	}
	var r Report
	var err error
	h.Do(func() { r, err = Run(context.Background(), cfg) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// table is what each client is told: "boot file @ next-server".
func table(offers []firmware.Offer) map[string]string {
	told := map[string]string{}
	for _, o := range offers {
		name, where := o.BootFile()
		told[o.Client.String()] += fmt.Sprintf("%s %s %q @ %s; ", o.Server, where, name, o.NextServer)
	}
	return told
}

func wantTable(t *testing.T, r Report, want map[string]string) {
	t.Helper()
	got := table(r.Offers)
	for _, c := range firmware.Clients() {
		if got[c.String()] != want[c.String()] {
			t.Errorf("%s is told %s\n want %s", c, got[c.String()], want[c.String()])
		}
	}
	if t.Failed() {
		t.Logf("asked %+v, notes %q", r.Asked, r.Notes)
	}
}

// byArch is a dnsmasq that leases addresses and knows each architecture.
var byArch = strings.Fields(`--interface=eth1 --dhcp-range=10.77.0.50,10.77.0.60
	--dhcp-match=set:ipxe,175 --dhcp-match=set:bios,option:client-arch,0 --dhcp-match=set:efi64,option:client-arch,7
	--dhcp-match=set:efi64,option:client-arch,9 --dhcp-match=set:arm64,option:client-arch,11 --dhcp-match=set:http,option:client-arch,16
	--dhcp-match=set:httparm,option:client-arch,19 --dhcp-boot=tag:httparm,http://10.77.0.7/snp-arm64.efi
	--dhcp-option-force=tag:httparm,60,HTTPClient
	--dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe,,10.77.0.7 --dhcp-boot=tag:efi64,ipxe.efi,,10.77.0.7 --dhcp-boot=tag:arm64,snp-arm64.efi,,10.77.0.7
	--dhcp-boot=tag:ipxe,http://10.77.0.7/ipxe/bootstrap.ipxe,,10.77.0.7
	--dhcp-boot=tag:http,http://10.77.0.7/ipxe.efi --dhcp-option-force=tag:http,60,HTTPClient`)

var byArchTable = map[string]string{
	"bios":       `10.77.0.1 option 67 "undionly.kpxe" @ 10.77.0.7; `,
	"efi64":      `10.77.0.1 option 67 "ipxe.efi" @ 10.77.0.7; `,
	"efi-bc":     `10.77.0.1 option 67 "ipxe.efi" @ 10.77.0.7; `,
	"efi32":      `10.77.0.1  "" @ 10.77.0.1; `,
	"arm64":      `10.77.0.1 option 67 "snp-arm64.efi" @ 10.77.0.7; `,
	"http64":     `10.77.0.1 option 67 "http://10.77.0.7/ipxe.efi" @ 10.77.0.1; `,
	"http-arm64": `10.77.0.1 option 67 "http://10.77.0.7/snp-arm64.efi" @ 10.77.0.1; `,
	"ipxe":       `10.77.0.1 option 67 "http://10.77.0.7/ipxe/bootstrap.ipxe" @ 10.77.0.7; `,
}

func TestDnsmasq(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	// the last: bound to no interface
	for _, sockets := range []string{"--bind-interfaces", "--bind-dynamic", "--log-dhcp"} {
		s := lab.NewSegment(t)
		server := s.Host("server", "eth1", "10.77.0.1/24")
		p := server.Dnsmasq(append(byArch, "--no-ping", sockets)...)
		for where, h := range map[string]*lab.Host{
			"beside":                 s.Host("beside", "eth1", "10.77.0.9/24"),
			"beside, no address":     s.Host("bare", "eth1"),
			"in the server's own":    server,
			"beside, another subnet": s.Host("foreign", "eth1", "192.0.2.9/24"),
		} {
			t.Run(where+" "+sockets, func(t *testing.T) {
				r := probeFrom(t, h, Config{})
				wantTable(t, r, byArchTable)
				addresses := map[netip.Addr]bool{}
				for _, o := range r.Offers {
					addresses[o.YourIP] = true
					if o.Client.HTTP() != (o.Vendor == "HTTPClient") || o.Via != viaRaw {
						t.Errorf("%+v", o)
					}
				}
				if len(addresses) != 1 || len(r.Notes) != 0 {
					t.Errorf("addresses %v, notes %q", addresses, r.Notes)
				}
				if findings := Judge(dhcp.Boot{}, r); Sum(r, findings) != VerdictOK {
					t.Errorf("%+v", findings)
				}
			})
		}
		noLeases(t, p)
	}
}

// An own MAC is what dnsmasq is asked with, and what a host entry goes by.
func TestOwnMAC(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	s := lab.NewSegment(t)
	s.Host("server", "eth1", "10.77.0.1/24").Dnsmasq(append(byArch, "--no-ping",
		"--dhcp-host=02:00:00:00:00:42,10.77.0.42")...)
	client := s.Host("client", "eth1")
	r := probeFrom(t, client, Config{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0x42},
		Clients: []firmware.Client{firmware.ClientIPXE}})
	if len(r.Offers) != 1 || r.Offers[0].YourIP != netip.MustParseAddr("10.77.0.42") || r.MAC != "02:00:00:00:00:42" {
		t.Errorf("%+v", r)
	}
	if r = probeFrom(t, client, Config{Clients: []firmware.Client{firmware.ClientBIOS}}); r.MAC == client.MAC("eth1") {
		t.Errorf("asks with the device's own MAC %s", r.MAC)
	}
}

// dnsmasq pings for 3 seconds before its first offer.
func TestSlowServer(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	lab.NoShort(t)
	s := lab.NewSegment(t)
	p := s.Host("server", "eth1", "10.77.0.1/24").Dnsmasq(byArch...)
	r := probeFrom(t, s.Host("client", "eth1"), Config{})
	wantTable(t, r, byArchTable)
	if took := time.Duration(r.Asked[0].Took); took < 2*time.Second {
		t.Errorf("the first offer came after %v", took)
	}
	noLeases(t, p)
}

func TestProxyDHCP(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	for _, menu := range []bool{true, false} {
		s := lab.NewSegment(t)
		leasing := s.Host("lease", "eth1", "10.77.0.1/24").Dnsmasq("--interface=eth1", "--bind-interfaces",
			"--dhcp-range=10.77.0.50,10.77.0.60", "--no-ping")
		proxy := s.Host("proxy", "eth1", "10.77.0.2/24")
		args := strings.Fields(
			`--interface=eth1 --bind-interfaces --dhcp-range=10.77.0.0,proxy --dhcp-no-override --dhcp-match=set:ipxe,175
			--dhcp-match=set:bios,option:client-arch,0 --pxe-prompt=x,0 --pxe-service=tag:!ipxe,X86-64_EFI,EFI,ipxe.efi,10.77.0.7
			--pxe-service=tag:!ipxe,BC_EFI,EFI,ipxe.efi,10.77.0.7 --dhcp-boot=tag:ipxe,http://10.77.0.7/x.ipxe,,10.77.0.7`)
		bios := `10.77.0.2 file "undionly.kpxe" @ 10.77.0.7; `
		if menu {
			args = append(args, "--pxe-service=tag:!ipxe,x86PC,BIOS,undionly.kpxe,10.77.0.7")
			bios = `10.77.0.2  "" @ 0.0.0.0; ` + bios
		} else {
			args = append(args, "--dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe,,10.77.0.7")
		}
		proxy.Dnsmasq(args...)
		plain := `10.77.0.1  "" @ 10.77.0.1; `
		announced := `10.77.0.2  "" @ 10.77.0.2; `
		for where, h := range map[string]*lab.Host{"beside": s.Host("client", "eth1", "10.77.0.9/24"),
			"in the proxy's own": proxy} {
			t.Run(fmt.Sprintf("%s, menu %v", where, menu), func(t *testing.T) {
				r := probeFrom(t, h, Config{Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64,
					firmware.ClientEFIBC, firmware.ClientHTTP64, firmware.ClientIPXE}})
				wantTable(t, r, map[string]string{
					"bios":   plain + bios,
					"efi64":  plain + announced + `10.77.0.2 file "ipxe.efi" @ 10.77.0.7; `,
					"efi-bc": plain + announced + `10.77.0.2 file "ipxe.efi" @ 10.77.0.7; `,
					"http64": plain,
					"ipxe":   plain + `10.77.0.2 file "http://10.77.0.7/x.ipxe" @ 10.77.0.7; `,
				})
				for _, o := range r.Offers {
					if o.Proxy != o.YourIP.IsUnspecified() || o.Proxy != (o.Server == netip.MustParseAddr("10.77.0.2")) {
						t.Errorf("%+v", o)
					}
				}
				want := want
				want.Script = "http://10.77.0.7/x.ipxe"
				if findings := Judge(want, r); Sum(r, findings) != VerdictOK {
					t.Errorf("%+v", findings)
				}
			})
		}
		t.Run(fmt.Sprintf("without an address, menu %v", menu), func(t *testing.T) {
			r := probeFrom(t, s.Host("bare", "eth1"), Config{Clients: []firmware.Client{firmware.ClientEFI64}})
			if len(r.Offers) != 2 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "port 4011") ||
				!strings.Contains(r.Notes[0], "no IPv4 address on eth1") {
				t.Errorf("%+v", r)
			}
		})
		noLeases(t, leasing)
	}
}

// A firewall that lets DHCP through and not port 4011.
func TestSilentProxy(t *testing.T) {
	lab.Need(t, "dnsmasq", "nft")
	t.Parallel()
	s := lab.NewSegment(t)
	s.Host("lease", "eth1", "10.77.0.1/24").Dnsmasq("--interface=eth1", "--dhcp-range=10.77.0.50,10.77.0.60", "--no-ping")
	proxy := s.Host("proxy", "eth1", "10.77.0.2/24")
	if out, err := proxy.Run("nft",
		"add table ip f; add chain ip f in { type filter hook input priority 0; }; add rule ip f in udp dport 4011 "+
			"drop"); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	proxy.Dnsmasq("--interface=eth1", "--dhcp-range=10.77.0.0,proxy", "--pxe-service=X86-64_EFI,EFI,ipxe.efi,10.77.0.7")
	r := probeFrom(t, s.Host("client", "eth1", "10.77.0.9/24"), Config{Clients: []firmware.Client{firmware.ClientEFI64}})
	if len(r.Offers) != 3 || len(r.Notes) != 1 ||
		!strings.Contains(r.Notes[0], "efi64: 10.77.0.2 does not answer on port 4011") {
		t.Errorf("%+v", r)
	}
	at := firmware.Ask{To: netip.MustParseAddrPort("10.77.0.2:4011")}
	if o := r.Offers[2]; !o.Silent || *o.Ask != at || o.Server != at.To.Addr() {
		t.Errorf("the silence is not in the report: %+v", o)
	}
	for _, want := range []dhcp.Boot{{}, want} {
		findings := Judge(want, r)
		if !slices.ContainsFunc(findings, func(f Finding) bool {
			return (f.Code == CodeProxySilent || f.Code == dhcp.FindingNothing) && f.Level == Wrong &&
				strings.Contains(f.Text, "port 4011")
		}) {
			t.Errorf("%+v", findings)
		}
	}
}

func TestTwoServers(t *testing.T) {
	lab.Need(t, "dnsmasq", "dhcpd")
	t.Parallel()
	s := lab.NewSegment(t)
	one := s.Host("dnsmasq", "eth1", "10.77.0.1/24").Dnsmasq(append(byArch, "--no-ping")...)
	// It pings for a second, so that its offers come after everything else is done.
	two := s.Host("isc", "eth1", "10.77.0.2/24").ISC(`subnet 10.77.0.0 netmask 255.255.255.0 {
		range 10.77.0.70 10.77.0.80; ping-check true; authoritative; next-server 10.77.0.8; filename "other.0"; }`, "eth1")
	r := probeFrom(t, s.Host("client", "eth1"), Config{Quiet: DefaultQuiet,
		Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}})
	wantTable(t, r, map[string]string{
		"bios":  byArchTable["bios"] + `10.77.0.2 file "other.0" @ 10.77.0.8; `,
		"efi64": byArchTable["efi64"] + `10.77.0.2 file "other.0" @ 10.77.0.8; `,
	})
	findings := Judge(dhcp.Boot{}, r)
	if !slices.ContainsFunc(findings, func(f Finding) bool {
		return f.Code == CodeServersDiffer && f.Level == Wrong
	}) || Sum(r, findings) != VerdictWrong {
		t.Errorf("%+v", findings)
	}
	noLeases(t, one)
	noLeases(t, two)
}

// asNobody, in the environment, makes the test binary a program of an ordinary user that probes eth1.
const asNobody = "PXEAGENT_TEST_PROBE_AS_NOBODY"

// Behind a relay lies another network, about which a server is asked from this machine.
func TestRelayToRealServers(t *testing.T) {
	lab.Need(t, "dnsmasq", "dhcpd")
	t.Parallel()
	s := lab.NewSegment(t)
	dnsmasq, isc := s.Host("dnsmasq", "eth1", "10.77.0.1/24"), s.Host("isc", "eth1", "10.77.0.2/24")
	relay := s.Host("relay", "eth1", "10.77.0.9/24", "10.78.0.1/24")
	for _, h := range []*lab.Host{dnsmasq, isc} {
		h.IP("route", "add", "10.78.0.0/24", "via", "10.77.0.9")
	}
	one := dnsmasq.Dnsmasq("--interface=eth1", "--no-ping", "--dhcp-range=10.78.0.50,10.78.0.60,255.255.255.0",
		"--dhcp-boot=undionly.kpxe,,10.77.0.7")
	two := isc.ISC(`subnet 10.77.0.0 netmask 255.255.255.0 {}
		subnet 10.78.0.0 netmask 255.255.255.0 { range 10.78.0.70 10.78.0.80; next-server 10.77.0.7; filename "undionly.kpxe"; }`, "eth1")
	for _, server := range []string{"10.77.0.1", "10.77.0.2"} {
		at := netip.AddrPortFrom(netip.MustParseAddr(server), 0)
		r := probeFrom(t, relay, Config{Server: at, Relay: netip.MustParseAddr("10.78.0.1")})
		if len(r.Offers) != int(firmware.NumClient) {
			t.Errorf("%s: %d offers, notes %q", server, len(r.Offers), r.Notes)
		}
		for _, o := range r.Offers {
			name, _ := o.BootFile()
			if o.Via != viaRelay || o.Server.String() != server || name != "undionly.kpxe" || o.NextServer != next ||
				!netip.MustParsePrefix("10.78.0.0/24").Contains(o.YourIP) {
				t.Errorf("%+v", o)
			}
		}
	}
	noLeases(t, one)
	noLeases(t, two)
	t.Run("port 67 taken", func(t *testing.T) {
		var err error
		dnsmasq.Do(func() {
			_, err = Run(context.Background(), Config{Server: netip.MustParseAddrPort("10.77.0.2:67")})
		})
		if err == nil || !strings.Contains(err.Error(),
			"port is taken: a server answers a relay on port 67, and on 10.77.0.1 that belongs to another program") {
			t.Errorf("error is %v", err)
		}
	})
}

// Behind a relay a proxyDHCP server is asked at port 4011 as well, and so is one whose boot menu leads there.
func TestRelayToPort4011(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	s := lab.NewSegment(t)
	relay := s.Host("relay", "eth1", "10.77.0.9/24", "10.78.0.1/24")
	for i, lines := range [][]string{
		{"--dhcp-range=10.78.0.0,proxy,255.255.255.0", "--pxe-prompt=Boot,0",
			"--pxe-service=x86PC,Boot,undionly.kpxe,10.78.0.7",
			"--pxe-service=X86-64_EFI,Boot,ipxe.efi,10.78.0.7"},
		{"--dhcp-range=10.78.0.50,10.78.0.60,255.255.255.0", "--dhcp-option=3,10.78.0.1", "--pxe-prompt=Boot,0",
			"--pxe-service=x86PC,Boot,undionly.kpxe,10.78.0.7", "--pxe-service=X86-64_EFI,Boot,ipxe.efi,10.78.0.7",
			"--pxe-service=X86-64_EFI,Other,other.efi,10.78.0.7"},
	} {
		at := netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)})
		server := s.Host("server", "eth1", at.String()+"/24")
		server.IP("route", "add", "10.78.0.0/24", "via", "10.77.0.9")
		server.Dnsmasq(append([]string{"--interface=eth1", "--no-ping"}, lines...)...)
		r := probeFrom(t, relay, Config{Server: netip.AddrPortFrom(at, 0), Relay: netip.MustParseAddr("10.78.0.1"),
			Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}})
		for client, want := range map[firmware.Client]string{
			firmware.ClientBIOS: "tftp://10.78.0.7/undionly.kpxe", firmware.ClientEFI64: "tftp://10.78.0.7/ipxe.efi",
		} {
			if d := firmware.Decide(client, r.Leading()); d.URL != want {
				t.Errorf("%s, %s: %q (%s), want %q; notes %q, offers %+v", at, client, d.URL, d.Reason, want, r.Notes, r.Offers)
			}
		}
		for _, f := range Judge(dhcp.Boot{}, r) {
			if f.Level == Wrong {
				t.Errorf("%s: %+v", at, f)
			}
		}
	}
}
