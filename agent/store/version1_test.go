package store

import (
	"bytes"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pxeagent/agent/boot"
)

// testdata/boots.db is what version 1 wrote. It is read for ever.
func TestBootsOfVersion1(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, got := open(t, dir, config(t, &log))
	defer closed(t, s)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const mac = "52:54:00:12:34:56"
	want := []boot.Boot{
		{
			ID: "0000000001", MAC: mac, Addr: netip.MustParseAddr("10.0.0.21"), Host: "node-01", Arch: "x86_64",
			Facts: boot.Facts{MAC: mac, UUID: "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60", Serial: "s-1", Asset: "a-1",
				Manufacturer: "QEMU", Product: "Standard PC", Platform: "efi", Arch: "x86_64"},
			Firmware: boot.FirmwareUEFI, Profile: "compute", Item: "debian-12", Started: at, Updated: at.Add(9 * time.Second),
			Ended: at.Add(10 * time.Second), Result: boot.Booted, At: boot.StageImage, More: 2,
			Stages: []boot.Span{
				{Stage: boot.StageNBP, Start: at, End: at.Add(time.Second), Bytes: 100, Files: 1, Resent: 2},
				{Stage: boot.StageImage, Start: at.Add(time.Second), End: at.Add(9 * time.Second), Bytes: 5000, Files: 2},
			},
			Files: []boot.Fetch{{Name: "ipxe.efi", Artifact: boot.NBP, Proto: boot.TFTP, Class: boot.UEFI, Outcome: boot.OK,
				Bytes: 100, Start: at, Took: time.Second}},
		},
		{
			ID: "0000000002", Addr: netip.MustParseAddr("10.0.0.22"), Arch: "unknown", Firmware: boot.FirmwareBIOS,
			Started: at, Updated: at, Ended: at.Add(time.Minute), Result: boot.Broken, At: boot.StageScript, File: "gone.ipxe",
			Note: "look at the log",
		},
		{
			ID: "0000000003", Addr: netip.MustParseAddr("10.0.0.23"), Arch: "arm64", Firmware: boot.FirmwareUEFIHTTP,
			Started: at, Updated: at, At: boot.StageKernel, Fetching: "vmlinuz",
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if log.Len() > 0 {
		t.Errorf("logged:\n%s", &log)
	}
}
