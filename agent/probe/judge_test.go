package probe

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

var (
	next   = netip.MustParseAddr("10.77.0.7")
	first  = netip.MustParseAddr("10.77.0.1")
	second = netip.MustParseAddr("10.77.0.2")
	none   = netip.IPv4Unspecified()
	want   = dhcp.Boot{
		NextServer: next,
		NBP:        [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe", firmware.EFI64: "ipxe.efi"},
		Script:     "http://10.77.0.7/ipxe/bootstrap.ipxe",
	}
)

// lease is an offer of first.
func lease(c firmware.Client, file string, change ...func(*firmware.Offer)) firmware.Offer {
	o := firmware.Offer{Client: c, Server: first, From: first, YourIP: netip.MustParseAddr("10.77.0.50"),
		NextServer: next, File: file, Option67: file}
	for _, f := range change {
		f(&o)
	}
	return o
}

// proxy is an answer of second, which leases nothing.
func proxy(c firmware.Client, file, via string) firmware.Offer {
	return lease(c, file, func(o *firmware.Offer) {
		o.Server, o.From, o.YourIP, o.Proxy, o.Via, o.Vendor, o.Option67 = second, second, none, true, via, "PXEClient", ""
	})
}

// report is that of a probe of the clients that were offered something, and more.
func report(offers []firmware.Offer, more ...firmware.Client) Report {
	r := Report{Offers: offers}
	for _, c := range firmware.Clients() {
		if slices.Contains(more, c) || slices.ContainsFunc(offers, func(o firmware.Offer) bool { return o.Client == c }) {
			r.Asked = append(r.Asked, Asked{Client: c, Sent: 1})
		}
	}
	return r
}

func TestJudge(t *testing.T) {
	bios, efi, http, ipxe := firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientHTTP64, firmware.ClientIPXE
	url := "http://10.77.0.7/ipxe.efi"
	for name, tc := range map[string]struct {
		want    dhcp.Boot
		offers  []firmware.Offer
		more    []firmware.Client
		level   Level
		code    string // "" for no finding at all
		text    string
		clients []firmware.Client
	}{
		"all is well": {want: want, offers: []firmware.Offer{lease(bios, "undionly.kpxe"), lease(efi, "ipxe.efi"),
			lease(ipxe, want.Script)}},
		"as wanted with proxyDHCP": {want: want, offers: []firmware.Offer{lease(bios, ""),
			proxy(bios, "undionly.kpxe", "raw"), lease(efi, ""), proxy(efi, "", "raw"), proxy(efi, "ipxe.efi", "pxe")},
			code: CodeOnlyFile, level: Note, clients: []firmware.Client{bios, efi}},
		"URL leased, the rest by proxyDHCP": {want: dhcp.Boot{NextServer: next, NBP: want.NBP,
			URL: [firmware.NumArch]string{firmware.EFI64: url}},
			offers: []firmware.Offer{lease(http, url, func(o *firmware.Offer) {
				o.Vendor = "HTTPClient"
			}), lease(bios, ""), proxy(bios, "undionly.kpxe", "raw")}, code: CodeOnlyFile, level: Note},
		"nobody answers": {more: []firmware.Client{bios, efi}, level: Wrong, code: dhcp.FindingNoOffer,
			text: "no DHCP server answers", clients: []firmware.Client{bios, efi}},
		"one is left out": {offers: []firmware.Offer{lease(bios, "a")}, more: []firmware.Client{efi}, level: Wrong,
			code: dhcp.FindingNoOffer, clients: []firmware.Client{efi}},
		"no boot file": {offers: []firmware.Offer{lease(bios, "")}, level: Note, code: dhcp.FindingNoFile,
			clients: []firmware.Client{bios}},
		"wanted boot file": {want: want, offers: []firmware.Offer{lease(bios, "")}, level: Wrong, code: dhcp.FindingNoFile,
			text: `want "undionly.kpxe"`},
		"other boot file": {want: want, offers: []firmware.Offer{lease(bios, "pxelinux.0")}, level: Wrong,
			code: dhcp.FindingFile, text: `"pxelinux.0", want "undionly.kpxe"`},
		"other next-server": {want: want, offers: []firmware.Offer{lease(bios, "undionly.kpxe", func(o *firmware.Offer) {
			o.NextServer = first
		})}, level: Wrong, code: dhcp.FindingNextServer, text: "10.77.0.1, want 10.77.0.7"},
		"option 66 alone": {want: want, offers: []firmware.Offer{lease(bios, "undionly.kpxe", func(o *firmware.Offer) {
			o.NextServer, o.Option66 = none, "10.77.0.7"
		})},
			level: Wrong, code: CodeNoNextServer, text: "does not replace it"},
		"option 66 differs": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.Option66 = "10.77.0.8"
		})}, level: Warning, code: dhcp.FindingOption66},
		"URL needs no siaddr": {offers: []firmware.Offer{lease(ipxe, url, func(o *firmware.Offer) { o.NextServer = none })}},
		"no server identifier": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.NoServerID = true
		})}, level: Wrong, code: CodeNoServerID},
		"overloaded": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.Overload = 1
		})}, level: Note, code: CodeOverload},
		"only option 67": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.File = ""
		})}, level: Note, code: CodeOnly67},
		"only file": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.Option67 = ""
		})}, level: Note, code: CodeOnlyFile},
		"two names": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.File = "b"
		})}, level: Warning, code: CodeBothDiffer},
		"0xFF behind": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.End67 = firmware.End67Last
		})}, level: Note, code: CodeEnd67},
		"NUL behind": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.End67 = firmware.End67NUL
		})}},
		"next-server is loopback": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.NextServer = netip.MustParseAddr("127.0.0.1")
		})},
			level: Wrong, code: CodeLocal, text: `"a" is said to be at 127.0.0.1`},
		"next-server is link-local": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.NextServer = netip.MustParseAddr("169.254.169.254")
		})},
			level: Wrong, code: CodeLocal},
		"URL of localhost": {offers: []firmware.Offer{lease(ipxe, "http://LocalHost:8080/x")}, level: Wrong,
			code: CodeLocal, text: "at 127.0.0.1"},
		"URL that is loopback": {offers: []firmware.Offer{lease(ipxe, "http://[::1]/x")}, level: Wrong, code: CodeLocal},
		"URL that is link-local": {offers: []firmware.Offer{lease(ipxe, "http://169.254.169.254/x")}, level: Wrong,
			code: CodeLocal},
		"long": {offers: []firmware.Offer{lease(bios, strings.Repeat("a", 128))}, level: Wrong,
			code: CodeLong, text: "128 bytes"},
		"127 bytes": {offers: []firmware.Offer{lease(bios, strings.Repeat("a", 127))}},
		"hostile": {offers: []firmware.Offer{lease(bios, "a\x1b[2J")}, level: Wrong, code: CodeCharacters,
			text: `a\x1b[2J`},
		"named option 66": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.Option66 = "tftp.lan"
		})}, level: Note, code: dhcp.FindingOption66},
		"Windows": {offers: []firmware.Offer{lease(bios, `boot\x64\wdsnbp.com`)}},
		"quoted":  {offers: []firmware.Offer{lease(bios, `"a"`)}, level: Warning, code: CodeCharacters},
		"HTTPClient to all": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.Vendor = "HTTPClient"
		})}, level: Warning, code: CodeHTTPVendor},
		"PXEClient back": {offers: []firmware.Offer{lease(bios, "a", func(o *firmware.Offer) {
			o.Vendor = "PXEClient"
		})}},
		"HTTP boot": {offers: []firmware.Offer{lease(http, url, func(o *firmware.Offer) {
			o.Vendor = "HTTPClient"
		})}},
		"HTTP boot by Kea": {offers: []firmware.Offer{lease(http, url)}, level: Wrong, code: CodeNoHTTPVendor},
		"HTTP boot with name": {offers: []firmware.Offer{lease(http, "ipxe.efi", func(o *firmware.Offer) {
			o.Vendor = "HTTPClient"
		})}, level: Wrong, code: CodeNoURL},
		"HTTP boot not set up": {offers: []firmware.Offer{lease(http, "a")}, level: Note, code: CodeNoURL},
		"loop": {offers: []firmware.Offer{lease(bios, "undionly.kpxe"), lease(ipxe, "undionly.kpxe")},
			level: Warning, code: CodeLoop, clients: []firmware.Client{ipxe}},
		"BIOS file for UEFI": {offers: []firmware.Offer{lease(bios, "undionly.kpxe"), lease(efi, "undionly.kpxe"),
			lease(firmware.ClientARM64, "undionly.kpxe")}, level: Wrong, code: CodeArchIgnored,
			clients: []firmware.Client{efi}},
		"which a rare kind was not meant to get": {offers: []firmware.Offer{lease(bios, "undionly.kpxe"),
			lease(efi, "ipxe.efi"), lease(firmware.ClientARM64, "undionly.kpxe")}, level: Note, code: CodeArchIgnored,
			clients: []firmware.Client{firmware.ClientARM64}},
		"and for rare ones": {offers: []firmware.Offer{lease(bios, "undionly.kpxe"),
			lease(firmware.ClientEFI32, "undionly.kpxe")}, level: Warning, code: CodeArchIgnored},
		"only proxyDHCP": {offers: []firmware.Offer{proxy(bios, "a", "raw")}, level: Wrong, code: CodeNoAddress},
		"silent proxyDHCP": {offers: []firmware.Offer{lease(bios, ""), proxy(bios, "", "raw")}, level: Wrong,
			code: CodeProxySilent},
		"nothing fails for who is not to boot": {want: want, offers: []firmware.Offer{lease(bios, "undionly.kpxe"),
			lease(firmware.ClientEFI32, ""), proxy(firmware.ClientEFI32, "", "raw")}, level: Note, code: CodeProxySilent},
		"two servers": {offers: []firmware.Offer{lease(bios, "a"), lease(bios, "b", func(o *firmware.Offer) {
			o.Server = second
		})}, level: Wrong, code: CodeServersDiffer,
			text: `10.77.0.1 says "a" at 10.77.0.7 and 10.77.0.2 says "b" at 10.77.0.7`},
		"two servers alike": {offers: []firmware.Offer{lease(bios, "a"), lease(bios, "a", func(o *firmware.Offer) {
			o.Server = second
		})}},
		"two servers, two hosts": {offers: []firmware.Offer{lease(bios, "a"), lease(bios, "a", func(o *firmware.Offer) {
			o.Server, o.NextServer = second, second
		})}, level: Wrong, code: CodeServersDiffer},
		"a second server": {offers: []firmware.Offer{lease(bios, "a"), lease(bios, "", func(o *firmware.Offer) {
			o.Server = second
		})}, level: Warning, code: CodeSecondServer, text: "no boot file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := report(tc.offers, tc.more...)
			got := Judge(tc.want, r)
			i := slices.IndexFunc(got, func(f Finding) bool { return f.Code == tc.code && f.Level == tc.level })
			if tc.code == "" {
				if len(got) > 0 {
					t.Fatalf("finds %+v", got)
				}
			} else if i < 0 {
				t.Fatalf("no %s %s in %+v", tc.level, tc.code, got)
			} else if f := got[i]; !strings.Contains(f.Text, tc.text) || tc.clients != nil &&
				!slices.Equal(f.Clients, tc.clients) {
				t.Errorf("%+v", f)
			} else if f.Remedy == "" && f.Level != Note {
				t.Errorf("%s has no remedy", f.Code)
			}
			verdict := VerdictOK
			if len(tc.offers) == 0 {
				verdict = VerdictNoOffer
			} else if tc.level == Wrong {
				verdict = VerdictWrong
			}
			if sum := Sum(r, got); sum != verdict {
				t.Errorf("verdict %s, want %s: %+v", sum, verdict, got)
			}
			if !slices.IsSortedFunc(got, func(a, b Finding) int { return a.Level.rank() - b.Level.rank() }) {
				t.Errorf("not the worst first: %+v", got)
			}
		})
	}
}

// What the configuration names is no finding, wherever it is.
func TestOwnLoopbackIsNoFinding(t *testing.T) {
	want := dhcp.Boot{NextServer: netip.MustParseAddr("127.0.0.1"), NBP: [firmware.NumArch]string{firmware.BIOS: "a"}}
	r := report([]firmware.Offer{lease(firmware.ClientBIOS, "a", func(o *firmware.Offer) {
		o.NextServer = want.NextServer
	})})
	if got := Judge(want, r); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// A boot server is asked on port 4011 at its own address only where that is one; what is looked for by multicast or
// broadcast is not followed, since it could lease an address.
func TestWhatIsAskedAtPort4011(t *testing.T) {
	menu := func(control byte, more ...byte) []byte {
		return append([]byte{6, 1, control, 10, 1, 0, 9, 3, 0x80, 1, 0}, more...)
	}
	for name, tc := range map[string]struct {
		next     netip.Addr
		option43 []byte
		want     []string
		item     uint16
		note     string
	}{
		"PXEClient alone": {next: second, want: []string{"10.77.0.2:4011"}},
		"loopback": {next: netip.MustParseAddr("127.0.0.1"),
			note: "looks for a boot server at 127.0.0.1:4011, which is not followed"},
		"link-local":   {next: netip.MustParseAddr("169.254.1.1"), note: "not followed"},
		"everybody":    {next: netip.MustParseAddr("255.255.255.255"), note: "not followed"},
		"a group":      {next: netip.MustParseAddr("224.0.0.1"), note: "not followed"},
		"use the file": {next: second, option43: []byte{6, 1, 8}},
		"local disk":   {next: second, option43: []byte{6, 1, 3, 10, 1, 0, 9, 3, 0, 0, 0}},
		"a listed server": {next: second, option43: menu(3, 8, 7, 0x80, 1, 1, 10, 77, 0, 9),
			want: []string{"10.77.0.9:4011"}, item: 0x8001},
		"by multicast": {next: second, option43: menu(1, 7, 4, 224, 0, 1, 2),
			note: "looks for a boot server at 224.0.1.2:4011, which is not followed"},
		"by broadcast": {next: second, option43: menu(2),
			note: "looks for a boot server at 255.255.255.255:67, which is not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := proxy(firmware.ClientEFI64, "undionly.kpxe", viaRaw)
			o.NextServer, o.Type = tc.next, typeOffer
			o.Options = map[byte][]byte{54: second.AsSlice(), 60: []byte("PXEClient")}
			if tc.option43 != nil {
				o.Options[43] = tc.option43
			}
			b := bootServers{clients: []firmware.Client{firmware.ClientEFI64},
				offers: []firmware.Offer{lease(firmware.ClientEFI64, ""), o}}
			var asked []string
			for _, a := range b.next() {
				asked = append(asked, a.to.String())
				if a.question.Item != tc.item || a.question.To != a.to || a.typ != typeRequest || a.broadcast {
					t.Errorf("%+v", a.message)
				}
			}
			if !slices.Equal(asked, tc.want) {
				t.Errorf("asked %v, want %v", asked, tc.want)
			}
			if notes := strings.Join(b.notes, "; "); !strings.Contains(notes, tc.note) || (tc.note == "") != (notes == "") {
				t.Errorf("notes %q, want %q", notes, tc.note)
			}
		})
	}
}

func TestReportAsJSON(t *testing.T) {
	r := report([]firmware.Offer{lease(firmware.ClientBIOS, "a", func(o *firmware.Offer) {
		o.After = firmware.Seconds(1500000000)
	})})
	r.MAC = "02:00:00:00:00:01"
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"mac":"02:00:00:00:00:01"`, `"client":"bios","server":"10.77.0.1"`,
		`"after_seconds":1.500`, `"asked":[{"client":"bios","sent":1,`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
}
