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
		all = append(all, firmware.Offer{Client: c, Server: own, From: own, YourIP: netip.MustParseAddr("10.0.0.50"), NextServer: b.NextServer, File: b.Expect(c)})
	}
	return all
}

func TestVerify(t *testing.T) {
	want := Boot{NextServer: next, NBP: [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe"}}
	script := want
	script.Script = "http://10.0.0.7/ipxe/bootstrap.ipxe"
	http := Boot{NextServer: next, URL: [firmware.NumArch]string{firmware.EFI64: "http://10.0.0.7/ipxe.efi"}}
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
			all = append(all, o, firmware.Offer{Client: o.Client, Server: other, From: other, NextServer: other, Option66: "voip.lan"})
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
		{name: "option 67 wins over file", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.Option67, o.File = "undionly.kpxe", "old.0" })},
		{name: "option 67 differs", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.Option67 = "old.0" }), wrong: []string{FindingFile},
			text: `bios from 10.0.0.1: option 67 says "old.0", want "undionly.kpxe"`},
		{name: "file differs", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.File = "x\"\n\x1b[31m" }), wrong: []string{FindingFile},
			text: `file says "x\"\n\x1b[31m"`},
		{name: "no file", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.File = "" }), wrong: []string{FindingNoFile}},
		{name: "no next-server", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.NextServer = netip.IPv4Unspecified() }), wrong: []string{FindingNextServer},
			text: "next-server is not set, want 10.0.0.7"},
		{name: "both differ", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.NextServer, o.File = other, "old.0" }), wrong: []string{FindingFile, FindingNextServer}},
		{name: "one client is not answered", want: want, plan: ours, offers: good[:1], wrong: []string{FindingNoOffer}, text: "ipxe: the DHCP server makes no offer"},
		{name: "nobody answers", want: want, plan: ours, wrong: []string{FindingNoOffer, FindingNoOffer}},
		{name: "clients that are not configured do not matter", want: want, plan: ours,
			offers: append(slices.Clone(good), firmware.Offer{Client: firmware.ClientARM64, Server: own, File: "undionly.kpxe"}, firmware.Offer{Client: firmware.ClientHTTP64, Server: other, File: "x"})},
		{name: "right once and wrong once", want: want, plan: ours, offers: append(slices.Clone(good), firmware.Offer{Client: firmware.ClientBIOS, Server: own, NextServer: next, File: "old.0"}),
			wrong: []string{FindingFile}},
		{name: "option 66 contradicts", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.Option66 = "10.0.0.9" }), notes: []string{FindingOption66}},
		{name: "option 66 says the same", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.Option66 = "10.0.0.7" })},

		{name: "iPXE is told apart", want: script, plan: ours, offers: offersOf(script, both...)},
		{name: "iPXE is not told apart", want: script, plan: ours, offers: good, wrong: []string{FindingFile}, text: "ipxe from"},
		{name: "siaddr does not matter to a URL", want: http, plan: ours, offers: []firmware.Offer{{Client: firmware.ClientHTTP64, Server: own, Option67: "http://10.0.0.7/ipxe.efi", Option66: "x"}}},
		{name: "another URL", want: http, plan: ours, offers: []firmware.Offer{{Client: firmware.ClientHTTP64, Server: own, Option67: "http://10.0.0.8/ipxe.efi"}}, wrong: []string{FindingFile}},

		{name: "known by its source address", want: want, plan: ours, offers: but(func(o *firmware.Offer) { o.Server = netip.MustParseAddr("192.0.2.1") })},
		{name: "any server is ours where its address is not known", want: want, offers: with(func(o *firmware.Offer) { o.File = "old.0" }), wrong: []string{FindingFile}},
		{name: "but a partner is not", want: want, plan: Plan{Peers: []netip.Addr{other}}, offers: with(func(o *firmware.Offer) { o.File = "old.0" }), foreign: []string{FindingPeer}},
		{name: "a partner", want: want, plan: Plan{Own: ours.Own, Peers: []netip.Addr{other}}, offers: with(func(o *firmware.Offer) { o.NextServer = other }), foreign: []string{FindingPeer},
			text: "bios from 10.0.0.2: the failover partner offers next-server 10.0.0.2, want 10.0.0.7"},
		{name: "a partner that follows", want: want, plan: Plan{Own: ours.Own, Peers: []netip.Addr{other}}, offers: with(same)},
		{name: "another server says the same", want: want, plan: ours, offers: with(same)},
		{name: "another server says something else", want: want, plan: ours, offers: with(func(o *firmware.Offer) { o.Option67 = "old.0" }), foreign: []string{FindingForeign}},
		{name: "another server only leases", want: want, plan: ours, offers: with(func(o *firmware.Offer) { o.File = "" }), foreign: []string{FindingForeign}, text: "no boot file"},
		{name: "another proxyDHCP server", want: want, plan: ours, offers: with(func(o *firmware.Offer) { o.Proxy, o.File = true, "" }), foreign: []string{FindingProxy}},
		{name: "only another server", want: want, plan: ours, offers: with(same)[2:], wrong: []string{FindingNoOffer, FindingNoOffer}},

		{name: "proxy beside a server that leases", want: want, plan: proxy, offers: proxied(same)},
		{name: "proxy that names another file", want: want, plan: proxy, offers: proxied(func(o *firmware.Offer) { o.File = "old.0" }), wrong: []string{FindingFile}},
		{name: "proxy that announces itself and names the file on port 4011", want: want, plan: proxy,
			offers: append(proxied(func(o *firmware.Offer) { o.File, o.Vendor = "", "PXEClient" }),
				firmware.Offer{Client: firmware.ClientBIOS, Server: own, From: own, Proxy: true, NextServer: next, File: "undionly.kpxe", Via: "pxe"})},
		{name: "proxy that only announces itself", want: want, plan: proxy, offers: proxied(func(o *firmware.Offer) { o.File, o.Vendor = "", "PXEClient" }), wrong: []string{FindingNoFile}},
		{name: "proxy and a leasing server that boots by itself", want: want, plan: proxy, offers: append(proxied(same), firmware.Offer{Client: firmware.ClientBIOS, Server: other, File: "old.0"}),
			foreign: []string{FindingForeign}},
		{name: "the proxy's own leases are another server's", want: want, plan: proxy, offers: good, wrong: []string{FindingNoOffer, FindingNoOffer}},

		{name: "off", plan: ours, offers: offersOf(Boot{}, both...)},
		{name: "off, siaddr is the server itself", plan: ours, offers: offersOf(Boot{NextServer: own}, both...)},
		{name: "off, siaddr is not", plan: ours, offers: offersOf(Boot{NextServer: next}, both[0]), wrong: []string{FindingStillBoots}, text: "next-server is still 10.0.0.7"},
		{name: "off, and still a file", plan: ours, offers: good, wrong: []string{FindingStillBoots, FindingStillBoots}, text: `file still says "undionly.kpxe"`},
		{name: "off, and still option 66", plan: ours, offers: []firmware.Offer{{Client: firmware.ClientEFI32, Server: own, Option66: "10.0.0.7"}}, wrong: []string{FindingStillBoots}},
		{name: "off, and the server is gone", plan: ours, offers: with(same)[2:], wrong: []string{FindingNoOffer}},
		{name: "off, another server boots machines", plan: ours, offers: append(offersOf(Boot{}, both...), with(same)[2])},
		{name: "proxy off", plan: proxy, offers: []firmware.Offer{{Client: firmware.ClientBIOS, Server: other}}},
		{name: "proxy off, and it still answers", plan: proxy, offers: proxied(same), wrong: []string{FindingStillBoots, FindingStillBoots}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Verify(c.want, c.plan, c.offers)
			codes := func(findings []Finding) (all []string) {
				for _, f := range findings {
					all = append(all, f.Code)
				}
				return all
			}
			if !slices.Equal(codes(v.Wrong), c.wrong) || !slices.Equal(codes(v.Foreign), c.foreign) || !slices.Equal(codes(v.Notes), c.notes) {
				t.Errorf("wrong %+v\nforeign %+v\nnotes %+v", v.Wrong, v.Foreign, v.Notes)
			}
			if v.Agrees() != (c.wrong == nil) || v.Contradicts() != slices.ContainsFunc(c.wrong, func(code string) bool { return code != FindingNoOffer }) {
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
	if got := ProbeClients(b); !slices.Equal(got, []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientEFIBC, firmware.ClientHTTP64, firmware.ClientIPXE}) {
		t.Errorf("with BIOS and HTTP: %v", got)
	}
	if got := ProbeClients(Boot{}); !slices.Equal(got, firmware.Clients()) {
		t.Errorf("off: %v", got)
	}
}
