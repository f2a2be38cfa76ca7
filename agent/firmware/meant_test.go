package firmware

import (
	"net/netip"
	"slices"
	"testing"
)

func TestMeant(t *testing.T) {
	at := netip.MustParseAddr("10.0.0.1")
	offer := func(c Client, file string) Offer { return Offer{Client: c, Server: at, NextServer: at, File: file} }
	nowhere := func(c Client, file string) Offer {
		o := offer(c, file)
		o.NextServer = netip.IPv4Unspecified()
		return o
	}
	// answered completes offers with one that says nothing, to each client that has none.
	answered := func(offers []Offer) []Offer {
		for _, c := range Clients() {
			if !slices.ContainsFunc(offers, func(o Offer) bool { return o.Client == c }) {
				offers = append(offers, offer(c, ""))
			}
		}
		return offers
	}
	for name, c := range map[string]struct {
		offers []Offer
		want   []Client
	}{
		"no boot file": {[]Offer{offer(ClientBIOS, ""), offer(ClientEFI64, "")}, Clients()},
		"BIOS alone":   {[]Offer{offer(ClientBIOS, "pxelinux.0"), offer(ClientEFI64, "")}, []Client{ClientBIOS}},
		"BIOS and the rest": {[]Offer{offer(ClientBIOS, "a"), offer(ClientEFI64, "b"), offer(ClientEFIBC, "b"),
			offer(ClientEFI32, "b"), offer(ClientARM64, "b"), offer(ClientHTTP64, "b")},
			[]Client{ClientBIOS, ClientEFI64, ClientEFIBC}},
		"ARM64 by itself": {[]Offer{offer(ClientEFI64, "b"), offer(ClientARM64, "c")},
			[]Client{ClientEFI64, ClientARM64}},
		"a name that leads nowhere": {[]Offer{nowhere(ClientEFI64, "b"), offer(ClientBIOS, "a")},
			[]Client{ClientBIOS, ClientEFI64}},
		"UEFI HTTP boot": {[]Offer{offer(ClientHTTP64, "http://10.0.0.1/a.efi")}, []Client{ClientHTTP64}},
	} {
		if got := Meant(answered(c.offers)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := Meant(nil); !slices.Equal(got, Clients()) {
		t.Errorf("nobody answers: %v", got)
	}
	if got := Meant(answered([]Offer{offer(ClientBIOS, "a")})[:2]); !slices.Equal(got[1:], Clients()[2:]) {
		t.Errorf("only BIOS and efi64 are answered: %v", got)
	}
}
