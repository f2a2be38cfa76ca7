package boots

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/deploy/lab"
)

// What Dnsmasq sends beside the boot file leads real machines where the model of their firmware says: iPXE in QEMU's
// BIOS ROM, and OVMF.
func TestMenusOfDnsmasqLeadWhereTheModelSays(t *testing.T) {
	lab.NeedQEMU(t)
	lab.Need(t, "dnsmasq")
	t.Parallel()
	ours := []string{"--dhcp-match=set:efi,option:client-arch,7", "--dhcp-boot=tag:efi,ipxe.efi,,10.77.0.1",
		"--dhcp-boot=tag:!efi,first.kpxe,,10.77.0.1"}
	centos := []string{"--pxe-prompt=Press F8 for menu.,1", "--pxe-service=x86PC,Install CentOS 7,pxelinux"}
	for name, c := range map[string]struct {
		lines  []string
		client firmware.Client
		file   string // the first that it fetches; empty: none
	}{
		"local disk BIOS": {append(slices.Clone(ours), "--pxe-service=0,Raspberry Pi Boot"), firmware.ClientIPXE, ""},
		"local disk UEFI": {append(slices.Clone(ours), "--pxe-service=0,Raspberry Pi Boot"), firmware.ClientEFI64,
			"ipxe.efi"},
		"prompt BIOS": {append(slices.Clone(ours), centos...), firmware.ClientIPXE, "pxelinux.0"},
		"prompt UEFI": {append(slices.Clone(centos), "--dhcp-boot=pxelinux.0,pxeserver,10.77.0.1"),
			firmware.ClientEFI64, "pxelinux.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, root := lab.NewSegment(t), t.TempDir()
			for _, file := range []string{"ipxe.efi", "first.kpxe", "pxelinux.0"} {
				if err := os.WriteFile(filepath.Join(root, file), []byte("not a program"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			server := s.Host("server", "eth1", "10.77.0.1/24").Dnsmasq(append([]string{"--interface=eth1", "--no-ping",
				"--dhcp-range=10.77.0.50,10.77.0.60", "--enable-tftp", "--tftp-root=" + root}, c.lines...)...)
			var r probe.Report
			var err error
			s.Host("client", "eth1", "10.77.0.9/24").Do(func() {
				r, err = probe.Run(context.Background(), probe.Config{Device: "eth1", Clients: []firmware.Client{c.client},
					Quiet: 500 * time.Millisecond})
			})
			if err != nil {
				t.Fatal(err)
			}
			said := firmware.Decide(c.client, r.Offers)
			if file := path.Base(said.URL); said.URL != "" && file != c.file || said.URL == "" && c.file != "" {
				t.Fatalf("the model says %+v, want %q", said, c.file)
			}
			m := s.Boot(lab.QEMU{MAC: "52:54:00:00:00:21", UEFI: c.client == firmware.ClientEFI64})
			if c.file == "" {
				server.WaitOutput(bootLimit, `DHCPACK\(eth1\) \S+ 52:54:00:00:00:21`)
				m.WaitOutput(bootLimit, `Booting from Hard Disk`)
				if asked := regexp.MustCompile(`dnsmasq-tftp\[\d+\]: (sent|file|error).*`).FindString(
					server.Output()); asked != "" {
					t.Errorf("the machine fetched a file: %s", asked)
				}
				return
			}
			server.WaitOutput(bootLimit, `dnsmasq-tftp\[\d+\]: .*/`+regexp.QuoteMeta(c.file))
			if first := regexp.MustCompile(`dnsmasq-tftp\[\d+\]: .*?/([^/ ]+) (to|for|not)`).FindStringSubmatch(
				server.Output()); first == nil || first[1] != c.file {
				t.Errorf("the first file was %q, want %q", first, c.file)
			}
		})
	}
}
