package dhcp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/firmware"
)

var (
	own   = netip.MustParseAddr("10.0.0.1")
	other = netip.MustParseAddr("10.0.0.2")
	next  = netip.MustParseAddr("10.0.0.7")
)

// offers are what our server sends the clients when all is well.
func offersOf(b Boot, clients ...firmware.Client) []firmware.Offer {
	var all []firmware.Offer
	for _, c := range clients {
		all = append(all, firmware.Offer{Client: c, Server: own, From: own, YourIP: netip.MustParseAddr("10.0.0.50"),
			NextServer: b.NextServer, File: b.Expect(c)})
	}
	return all
}

func TestVerify(t *testing.T) {
	want := Boot{NextServer: next, NBP: [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe"}}
	script := want
	script.Script = "http://10.0.0.7/ipxe/bootstrap.ipxe"
	http := Boot{NextServer: next, URL: [firmware.NumArch]string{firmware.EFI64: "http://10.0.0.7/ipxe.efi"}}
	efi := Boot{NextServer: next, NBP: [firmware.NumArch]string{firmware.EFI64: "ipxe.efi"}}
	ours := Plan{Own: []netip.Addr{own}}
	proxy := Plan{Own: []netip.Addr{own}, Proxy: true}
	both := []firmware.Client{firmware.ClientBIOS, firmware.ClientIPXE}
	good := offersOf(want, both...)
	// with returns good and another offer to the BIOS client.
	with := func(change func(*firmware.Offer)) []firmware.Offer {
		o := good[0]
		o.Server, o.From = other, other
		change(&o)
		return append(slices.Clone(good), o)
	}
	// but returns good with the BIOS client's offer changed.
	but := func(change func(*firmware.Offer)) []firmware.Offer {
		all := slices.Clone(good)
		change(&all[0])
		return all
	}
	// announced returns good as a proxyDHCP server makes it, and what the leasing server sends.
	proxied := func(change func(*firmware.Offer)) []firmware.Offer {
		var all []firmware.Offer
		for _, o := range good {
			o.Proxy, o.YourIP = true, netip.IPv4Unspecified()
			all = append(all, o, firmware.Offer{Client: o.Client, Server: other, From: other, NextServer: other,
				Option66: "voip.lan"})
		}
		change(&all[0])
		return all
	}
	same := func(*firmware.Offer) {}

	for _, c := range []struct {
		name                  string
		want                  Boot
		plan                  Plan
		offers                []firmware.Offer
		wrong, foreign, notes []string // codes
		text                  string   // in the first finding
	}{
		{name: "all is well", want: want, plan: ours, offers: good},
		{name: "a ROM takes the file field before option 67", want: want, plan: ours,
			offers: but(func(o *firmware.Offer) {
				o.Option67, o.File = "undionly.kpxe", "old.0"
			}), wrong: []string{FindingElsewhere},
			text: `bios: 10.0.0.1 names "old.0" at 10.0.0.7, want tftp://10.0.0.7/undionly.kpxe`},
		{name: "option 67 differs, which a ROM does not take then", want: want, plan: ours,
			offers: but(func(o *firmware.Offer) { o.Option67 = "old.0" }), notes: []string{FindingFile},
			text: `bios from 10.0.0.1: option 67 says "old.0", want "undionly.kpxe"`},
		{name: "UEFI takes option 67 before the file field", want: efi, plan: ours, offers: []firmware.Offer{
			{Client: firmware.ClientEFI64, Server: own, NextServer: next, Option67: "ipxe.efi", File: "old.0"},
			{Client: firmware.ClientEFIBC, Server: own, NextServer: next, Option67: "old.0", File: "ipxe.efi"},
		}, wrong: []string{FindingFile}, text: `efi-bc from 10.0.0.1: option 67 says "old.0"`},
		{name: "file differs", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.File = "x\"\n\x1b[31m"
		}), wrong: []string{FindingFile},
			text: `file says "x\"\n\x1b[31m"`},
		{name: "no file", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.File = ""
		}), wrong: []string{FindingNoFile}},
		{name: "no next-server", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.NextServer = netip.IPv4Unspecified()
		}), wrong: []string{FindingNextServer},
			text: "next-server is not set, want 10.0.0.7"},
		{name: "both differ", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.NextServer, o.File = other, "old.0"
		}), wrong: []string{FindingFile, FindingNextServer}},
		{name: "one client is not answered", want: want, plan: ours, offers: good[:1], wrong: []string{FindingNoOffer},
			text: "ipxe: the DHCP server makes no offer"},
		{name: "nobody answers", want: want, plan: ours, wrong: []string{FindingNoOffer, FindingNoOffer}},
		{name: "clients that are not configured do not matter", want: want, plan: ours,
			offers: append(slices.Clone(good), firmware.Offer{Client: firmware.ClientARM64, Server: own,
				File: "undionly.kpxe"}, firmware.Offer{Client: firmware.ClientHTTP64, Server: other, File: "x"})},
		{name: "right once and wrong once", want: want, plan: ours, offers: append(slices.Clone(good),
			firmware.Offer{Client: firmware.ClientBIOS, Server: own, NextServer: next, File: "old.0"}),
			wrong: []string{FindingFile}},
		{name: "option 66 contradicts", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.Option66 = "10.0.0.9"
		}), notes: []string{FindingOption66}},
		{name: "option 66 says the same", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.Option66 = "10.0.0.7"
		})},

		{name: "iPXE is told apart", want: script, plan: ours, offers: offersOf(script, both...)},
		{name: "iPXE is not told apart", want: script, plan: ours, offers: good, wrong: []string{FindingFile},
			text: "ipxe from"},
		{name: "siaddr does not matter to a URL", want: http, plan: ours,
			offers: []firmware.Offer{{Client: firmware.ClientHTTP64, Server: own, Option67: "http://10.0.0.7/ipxe.efi",
				Option66: "x"}}},
		{name: "another URL", want: http, plan: ours,
			offers: []firmware.Offer{{Client: firmware.ClientHTTP64, Server: own, Option67: "http://10.0.0.8/ipxe.efi"}},
			wrong:  []string{FindingFile}},

		{name: "known by its source address", want: want, plan: ours, offers: but(func(o *firmware.Offer) {
			o.Server = netip.MustParseAddr("192.0.2.1")
		})},
		{name: "any server is ours where its address is not known", want: want, offers: with(func(o *firmware.Offer) {
			o.File = "old.0"
		}), wrong: []string{FindingFile}},
		{name: "but a partner is not", want: want, plan: Plan{Peers: []netip.Addr{other}},
			offers: with(func(o *firmware.Offer) {
				o.File = "old.0"
			}), foreign: []string{FindingPeer}},
		{name: "a partner", want: want, plan: Plan{Own: ours.Own, Peers: []netip.Addr{other}},
			offers: with(func(o *firmware.Offer) {
				o.NextServer = other
			}), foreign: []string{FindingPeer},
			text: "bios from 10.0.0.2: the failover partner offers next-server 10.0.0.2, want 10.0.0.7"},
		{name: "a partner that follows", want: want, plan: Plan{Own: ours.Own, Peers: []netip.Addr{other}},
			offers: with(same)},
		{name: "another server says the same", want: want, plan: ours, offers: with(same)},
		{name: "another server says something else", want: want, plan: ours, offers: with(func(o *firmware.Offer) {
			o.File = "old.0"
		}), foreign: []string{FindingForeign},
			text: `bios from 10.0.0.2: another DHCP server offers boot file "old.0", want "undionly.kpxe"`},
		{name: "another server only leases", want: want, plan: ours, offers: with(func(o *firmware.Offer) {
			o.File = ""
		}), notes: []string{FindingDoubt},
			text: "10.0.0.2 also leases addresses and names no boot file"},
		{name: "another server only leases, and iPXE takes the last lease", want: want, plan: ours,
			offers:  append(slices.Clone(good), firmware.Offer{Client: firmware.ClientIPXE, Server: other, From: other}),
			foreign: []string{FindingForeign}, text: "ipxe from 10.0.0.2: another DHCP server offers no boot file"},
		{name: "another proxyDHCP server", want: want, plan: ours,
			offers: with(func(o *firmware.Offer) { o.Proxy, o.File = true, "old.0" }), foreign: []string{FindingProxy}},
		{name: "another proxyDHCP server with nothing to say", want: want, plan: ours,
			offers: with(func(o *firmware.Offer) { o.Proxy, o.File = true, "" })},
		{name: "only another server", want: want, plan: ours, offers: with(same)[2:],
			wrong: []string{FindingNoOffer, FindingNoOffer}},

		{name: "proxy beside a server that leases", want: want, plan: proxy, offers: proxied(same)},
		{name: "proxy that names another file", want: want, plan: proxy, offers: proxied(func(o *firmware.Offer) {
			o.File = "old.0"
		}), wrong: []string{FindingFile}},
		{name: "proxy that announces itself and names the file on port 4011", want: want, plan: proxy,
			offers: append(proxied(func(o *firmware.Offer) { o.File, o.Vendor = "", "PXEClient" }),
				firmware.Offer{Client: firmware.ClientBIOS, Server: own, From: own, Proxy: true, NextServer: next,
					File: "undionly.kpxe", Via: "pxe"})},
		{name: "proxy that only announces itself", want: want, plan: proxy, offers: proxied(func(o *firmware.Offer) {
			o.File, o.Vendor = "", "PXEClient"
		}), wrong: []string{FindingNoFile}},
		{name: "proxy and a leasing server that boots by itself: iPXE takes the lease's file", want: want, plan: proxy,
			offers: append(proxied(same), firmware.Offer{Client: firmware.ClientBIOS, Server: other, File: "old.0"},
				firmware.Offer{Client: firmware.ClientIPXE, Server: other, NextServer: other, File: "old.0"}),
			foreign: []string{FindingForeign}, text: `ipxe from 10.0.0.2: another DHCP server offers boot file "old.0"`},
		{name: "the proxy's own leases are another server's", want: want, plan: proxy, offers: good,
			wrong: []string{FindingNoOffer, FindingNoOffer}},

		{name: "off", plan: ours, offers: offersOf(Boot{}, both...)},
		{name: "off, siaddr is the server itself", plan: ours, offers: offersOf(Boot{NextServer: own}, both...)},
		{name: "off, siaddr is not", plan: ours, offers: offersOf(Boot{NextServer: next}, both[0]),
			wrong: []string{FindingStillBoots}, text: "next-server is still 10.0.0.7"},
		{name: "off, and still a file", plan: ours, offers: good, wrong: []string{FindingStillBoots, FindingStillBoots},
			text: `file still says "undionly.kpxe"`},
		{name: "off, and still option 66", plan: ours,
			offers: []firmware.Offer{{Client: firmware.ClientEFI32, Server: own, Option66: "10.0.0.7"}},
			wrong:  []string{FindingStillBoots}},
		{name: "off, and the server is gone", plan: ours, offers: with(same)[2:], wrong: []string{FindingNoOffer}},
		{name: "off, another server boots machines", plan: ours, offers: append(offersOf(Boot{}, both...), with(same)[2])},
		{name: "proxy off", plan: proxy, offers: []firmware.Offer{{Client: firmware.ClientBIOS, Server: other}}},
		{name: "proxy off, and it still answers", plan: proxy, offers: proxied(same),
			wrong: []string{FindingStillBoots, FindingStillBoots}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Verify(c.want, c.plan, c.offers)
			codes := func(findings []Finding) (all []string) {
				for _, f := range findings {
					all = append(all, f.Code)
				}
				return all
			}
			if !slices.Equal(codes(v.Wrong), c.wrong) || !slices.Equal(codes(v.Foreign), c.foreign) ||
				!slices.Equal(codes(v.Notes), c.notes) {
				t.Errorf("wrong %+v\nforeign %+v\nnotes %+v", v.Wrong, v.Foreign, v.Notes)
			}
			if v.Agrees() != (c.wrong == nil) || v.Contradicts() != slices.ContainsFunc(c.wrong, func(code string) bool {
				return code != FindingNoOffer
			}) {
				t.Errorf("agrees %v, contradicts %v", v.Agrees(), v.Contradicts())
			}
			if v.Own+v.Other != len(c.offers) {
				t.Errorf("%d own and %d other offers of %d", v.Own, v.Other, len(c.offers))
			}
			findings := slices.Concat(v.Wrong, v.Foreign, v.Notes)
			if c.text != "" && (len(findings) == 0 || !strings.Contains(findings[0].Text, c.text)) {
				t.Errorf("findings %+v, want text %q", findings, c.text)
			}
		})
	}
}

func TestProbeClients(t *testing.T) {
	b := Boot{NBP: [firmware.NumArch]string{firmware.EFI64: "ipxe.efi"}}
	if got := ProbeClients(b); !slices.Equal(got, []firmware.Client{firmware.ClientEFI64, firmware.ClientEFIBC}) {
		t.Errorf("only EFI x64: %v", got)
	}
	b.NBP[firmware.BIOS], b.URL[firmware.EFI64] = "undionly.kpxe", "http://10.0.0.7/ipxe.efi"
	if got := ProbeClients(b); !slices.Equal(got, []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64,
		firmware.ClientEFIBC, firmware.ClientHTTP64, firmware.ClientIPXE}) {
		t.Errorf("with BIOS and HTTP: %v", got)
	}
	if got := ProbeClients(Boot{}); !slices.Equal(got, firmware.Clients()) {
		t.Errorf("off: %v", got)
	}
}

// packet is an offer as it came: UEFI's of our server, with these options besides mask, server and type.
func packet(t *testing.T, from netip.Addr, c firmware.Client, leases bool, file string,
	options ...byte) firmware.Offer {
	t.Helper()
	b := make([]byte, firmware.HeaderLen)
	copy(b, []byte{2, 1, 6})
	if leases {
		copy(b[16:], []byte{10, 0, 0, 50})
	}
	copy(b[20:], next.AsSlice())
	copy(b[108:], file)
	copy(b[236:], []byte{99, 130, 83, 99})
	b = append(append(b, 53, 1, 2, 1, 4, 255, 255, 255, 0, 54, 4), from.AsSlice()...)
	b = append(b, options...)
	o, err := firmware.Parse(append(b, 255))
	if err != nil {
		t.Fatal(err)
	}
	o.Client, o.From = c, from
	return o
}

// Offers that hold the right names do not boot machines that are led elsewhere by what else is in them.
func TestVerifyWhatFirmwareDoes(t *testing.T) {
	want := Boot{NextServer: next, NBP: [firmware.NumArch]string{firmware.EFI64: "ipxe.efi"}}
	efi := firmware.ClientEFI64
	pxeClient := append([]byte{60, 9}, "PXEClient"...)
	rpi := append(slices.Clone(pxeClient), 43, 13, 6, 1, 3, 10, 1, 0, 9, 3, 0, 0, 0, 255, 0)
	useFile := append(slices.Clone(pxeClient), 43, 4, 6, 1, 8, 255)
	open67 := append([]byte{67, 8}, "ipxe.efi"...)
	bare := packet(t, other, efi, false, "", pxeClient...)
	silent := func(of netip.Addr) firmware.Offer {
		return firmware.Offer{Client: efi, Server: of, From: of, Proxy: true, Silent: true,
			Ask: &firmware.Ask{To: netip.AddrPortFrom(of, 4011)}}
	}
	kea := packet(t, own, efi, true, "", open67...)
	for _, c := range []struct {
		name           string
		offers         []firmware.Offer
		wrong, foreign string // code and text
	}{
		{name: "a plain lease", offers: []firmware.Offer{packet(t, own, efi, true, "ipxe.efi")}},
		{name: "PXEClient and an order to use the file",
			offers: []firmware.Offer{packet(t, own, efi, true, "ipxe.efi", useFile...)}},
		{name: "a boot menu whose first line is the local disk",
			offers: []firmware.Offer{packet(t, own, efi, true, "ipxe.efi", rpi...)},
			wrong: "boots-nothing efi64: 10.0.0.1 sends UEFI to the local disk: the first line of its boot menu is the local " +
				"disk (option 43) (PXE-E21), want tftp://10.0.0.7/ipxe.efi"},
		{name: "PXEClient, and port 4011 is silent", offers: []firmware.Offer{packet(t, own, efi, true, "ipxe.efi",
			pxeClient...), silent(next)},
			wrong: "boots-nothing efi64: 10.0.0.1 calls itself a PXE server (option 60), and nothing answers at its port 4011 " +
				"(PXE-E16)"},
		{name: "PXEClient, and port 4011 could not be asked",
			offers: []firmware.Offer{packet(t, own, efi, true, "ipxe.efi", pxeClient...)},
			wrong: "boots-nothing efi64: 10.0.0.1 calls itself a PXE server (option 60): UEFI asks its port 4011 next, which " +
				"was not asked (10.0.0.7:4011)"},
		{name: "somebody's bare proxy", offers: []firmware.Offer{packet(t, own, efi, true, "ipxe.efi"), bare, silent(next)},
			foreign: "foreign-proxy efi64 from 10.0.0.2: another proxyDHCP server leads machines astray: 10.0.0.2 calls itself"},
		{name: "option 67 that ends with nothing, alone", offers: []firmware.Offer{kea}},
		{name: "option 67 that ends with nothing, and a proxy that came first",
			offers: []firmware.Offer{packet(t, other, efi, false, "ipxe.efi", useFile...), kea},
			foreign: "foreign-proxy efi64 from 10.0.0.2: another proxyDHCP server leads machines astray: option 67 of " +
				"10.0.0.1 is its last option and has no NUL"},
		{name: "no mask", offers: []firmware.Offer{func() firmware.Offer {
			o := packet(t, own, efi, true, "ipxe.efi")
			delete(o.Options, 1)
			return o
		}()}, wrong: "boots-nothing efi64: 10.0.0.1 offers an address without a subnet mask"},
		{name: "next-server out of reach", offers: []firmware.Offer{func() firmware.Offer {
			o := packet(t, own, efi, true, "ipxe.efi")
			o.YourIP = netip.MustParseAddr("192.168.50.100")
			return o
		}()}, wrong: "boots-nothing efi64: 10.0.0.7 is outside the machine's network 192.168.50.0/24, and 10.0.0.1 offers " +
			"no router (option 3) (PXE-E53)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := want
			v := Verify(b, Plan{Own: []netip.Addr{own}}, append(c.offers, offersOf(b, firmware.ClientEFIBC)...))
			first := func(findings []Finding) string {
				if len(findings) == 0 {
					return ""
				}
				return findings[0].Code + " " + findings[0].Text
			}
			w, f := first(v.Wrong), first(v.Foreign)
			if !strings.HasPrefix(w, c.wrong) || !strings.HasPrefix(f, c.foreign) || (w == "") != (c.wrong == "") ||
				(f == "") != (c.foreign == "") {
				t.Errorf("wrong %q\nforeign %q", w, f)
			}
			path := v.Clients[slices.IndexFunc(v.Clients, func(p Path) bool { return p.Client == efi })]
			if path.Right() != (path.URL == "tftp://10.0.0.7/ipxe.efi") || path.Reason == "" ||
				path.Want != "tftp://10.0.0.7/ipxe.efi" {
				t.Errorf("path %+v", path)
			}
			if path.Right() && c.wrong != "" {
				t.Errorf("right: %+v", path)
			}
		})
	}
}
