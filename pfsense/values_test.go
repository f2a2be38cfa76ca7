package pfsense

import (
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestCheckBoot(t *testing.T) {
	long := strings.Repeat("a", 127)
	for _, c := range []struct {
		name string
		edit func(*dhcp.Boot)
		isc  string // codes
		kea  string
	}{
		{"as it should be", func(b *dhcp.Boot) {}, "", ""},
		{"127 bytes", func(b *dhcp.Boot) { b.NBP[firmware.EFI64] = long }, "", ""},
		{"128 bytes", func(b *dhcp.Boot) { b.NBP[firmware.EFI64] = long + "a" }, "bad-boot-file", "bad-boot-file"},
		{"a blank", func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "boot files/undionly.kpxe" }, "", ""},
		{"quote", func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = `a"b` }, "bad-boot-file", "bad-boot-file"},
		{"backslash", func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = `boot\x64\wdsnbp.com` }, "bad-boot-file", "bad-boot-file"},
		{"newline", func(b *dhcp.Boot) { b.NBP[firmware.ARM32] = "a\nb" }, "bad-boot-file", "bad-boot-file"},
		{"NUL", func(b *dhcp.Boot) { b.NBP[firmware.ARM64] = "a\x00" }, "bad-boot-file", "bad-boot-file"},
		{"DEL", func(b *dhcp.Boot) { b.NBP[firmware.EFI32] = "a\x7f" }, "bad-boot-file", "bad-boot-file"},
		{"not ASCII", func(b *dhcp.Boot) { b.NBP[firmware.EFI32] = "ü.efi" }, "bad-boot-file", "bad-boot-file"},
		{"not UTF-8", func(b *dhcp.Boot) { b.NBP[firmware.EFI32] = "\xff" }, "bad-boot-file", "bad-boot-file"},
		{"two names", func(b *dhcp.Boot) {
			b.NBP[firmware.EFI32], b.NBP[firmware.ARM32] = `"`, `"`
		}, "bad-boot-file bad-boot-file", "bad-boot-file bad-boot-file"},
		{"no next-server", func(b *dhcp.Boot) { b.NextServer = netip.Addr{} }, "bad-next-server", "bad-next-server"},
		{"IPv6", func(b *dhcp.Boot) { b.NextServer = netip.MustParseAddr("fd00::1") }, "bad-next-server", "bad-next-server"},
		{"IPv4 in IPv6", func(b *dhcp.Boot) {
			b.NextServer = netip.MustParseAddr("::ffff:10.0.0.7")
		}, "bad-next-server", "bad-next-server"},
		{"this machine", func(b *dhcp.Boot) {
			b.NextServer = netip.MustParseAddr("127.0.0.1")
		}, "bad-next-server", "bad-next-server"},
		{"nowhere", func(b *dhcp.Boot) { b.NextServer = netip.IPv4Unspecified() }, "bad-next-server", "bad-next-server"},
		{"next-server alone", func(b *dhcp.Boot) {
			b.NBP, b.URL = [firmware.NumArch]string{}, [firmware.NumArch]string{}
		}, "no-boot-file", "no-boot-file"},
		{"URL alone", func(b *dhcp.Boot) { b.NBP = [firmware.NumArch]string{} }, "", ""},
		{"https", func(b *dhcp.Boot) { b.URL = [firmware.NumArch]string{firmware.EFI64: "https://a/x.efi"} }, "", ""},
		{"ftp", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "ftp://a/x.efi"}
		}, "bad-url", "bad-url"},
		{"no URL", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "not a url"}
		}, "bad-url", "bad-url"},
		{"no host", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "http:///x.efi"}
		}, "bad-url", "bad-url"},
		{"blank in a URL", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "http://a/x y.efi"}
		}, "bad-url", "bad-url"},
		{"quote in a URL", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: `http://a/"`}
		}, "bad-url", "bad-url"},
		{"long URL", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "http://a/" + long}
		}, "bad-url", ""},
		{"longer URL", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "http://a/" + long + long}
		}, "bad-url", "bad-url"},
		{"URL for BIOS", func(b *dhcp.Boot) { b.URL[firmware.BIOS] = b.URL[firmware.EFI64] }, "bad-url", "bad-url"},
		{"two URLs", func(b *dhcp.Boot) { b.URL[firmware.ARM64] = "http://a/arm.efi" }, "", ""},
		{"one URL for one architecture", func(b *dhcp.Boot) {
			b.URL = [firmware.NumArch]string{firmware.EFI64: "http://a/x.efi"}
		}, "", ""},
		{"off", func(b *dhcp.Boot) { *b = dhcp.Boot{} }, "", ""},
	} {
		want := testBoot("10.0.0.7")
		c.edit(&want)
		for engine, codes := range map[string]string{"isc": c.isc, "kea": c.kea} {
			f := firewall{Engine: engine}
			var got []string
			for _, q := range checkBoot(want, f, iface{}) {
				got = append(got, q.Code)
				if !q.Refuse || q.Text == "" || strings.ContainsAny(q.Text, "\n\x00") {
					t.Errorf("%s: %+v", c.name, q)
				}
			}
			if strings.Join(got, " ") != codes {
				t.Errorf("%s, %s: %q, want %q", c.name, engine, got, codes)
			}
		}
	}
}

func TestLoopback(t *testing.T) {
	want := testBoot("127.0.0.1")
	for addr, refused := range map[string]bool{"127.0.0.1": false, "10.99.0.1": true, "": true} {
		f := firewall{Engine: "isc"}
		if got := len(checkBoot(want, f, iface{Addr: addr, Bits: "8"})) > 0; got != refused {
			t.Errorf("next-server 127.0.0.1 on an interface at %q: refused %v", addr, got)
		}
	}
}
