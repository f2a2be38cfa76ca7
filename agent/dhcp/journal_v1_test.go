package dhcp

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pxeagent/agent/firmware"
)

// testdata/journal is what version 1 wrote. It is read for ever.
func TestJournalOfVersion1(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	j, err := OpenJournal(dir, "dnsmasq-eth1")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	full := Boot{
		NextServer: netip.MustParseAddr("10.0.0.7"),
		NBP: [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe", firmware.EFI64: "ipxe.efi",
			firmware.ARM64: "snp-arm64.efi"},
		URL:    [firmware.NumArch]string{firmware.EFI64: "http://10.0.0.7/ipxe.efi"},
		Script: "http://10.0.0.7/ipxe/bootstrap.ipxe",
	}
	wrote := State{Boot: full, Raw: []byte("dhcp-boot=tag:pxeagent-bios,undionly.kpxe,,10.0.0.7\n")}
	other := netip.MustParseAddr("10.0.0.2")
	want := record{
		Version: 1, Server: "dnsmasq, interface eth1", First: &State{Raw: []byte{}}, Wrote: &wrote,
		Intent: &State{Boot: full, Raw: []byte{0xff, 0, '\n'}},
		Wire: &wire{
			Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientEFIBC, firmware.ClientEFI32,
				firmware.ClientARM64, firmware.ClientHTTP64, firmware.ClientIPXE},
			Offers: []firmware.Offer{{
				Client: firmware.ClientBIOS, Server: netip.MustParseAddr("10.0.0.1"), From: netip.MustParseAddr("10.0.0.1"),
				YourIP: netip.MustParseAddr("10.0.0.99"), NextServer: other, File: "pxelinux.0", Option67: "pxelinux.0",
				Option66: "10.0.0.2", Vendor: "PXEClient", Via: "raw",
			}},
		},
		History: []Past{
			{at, PastReverted, wrote},
			{at.Add(time.Hour), PastChanged, State{Boot: Boot{NextServer: other}, Raw: []byte("x")}},
			{at.Add(2 * time.Hour), PastDiscarded, State{}},
		},
	}
	if !reflect.DeepEqual(j.rec, want) {
		t.Errorf("%s is read as\n%+v\nwant\n%+v", filepath.Base(j.path), j.rec, want)
	}
}
