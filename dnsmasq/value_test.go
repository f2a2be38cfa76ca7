package dnsmasq

import (
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestValuesThatCannotBeWritten(t *testing.T) {
	if bad := checkBoot(full(), ModeProxy); len(bad) > 0 {
		t.Errorf("a good one: %+v", bad)
	}
	for name, c := range map[string]struct {
		mode Mode
		edit func(*dhcp.Boot)
		code string
	}{
		"no next-server": {ModeServer, func(b *dhcp.Boot) { b.NextServer = netip.Addr{} }, "bad-next-server"},
		"IPv6": {ModeServer, func(b *dhcp.Boot) {
			b.NextServer = netip.MustParseAddr("fd00::1")
		}, "bad-next-server"},
		"0.0.0.0": {ModeServer, func(b *dhcp.Boot) { b.NextServer = netip.IPv4Unspecified() }, "bad-next-server"},
		"loopback": {ModeServer, func(b *dhcp.Boot) {
			b.NextServer = netip.MustParseAddr("127.0.0.1")
		}, "bad-next-server"},
		"comma":    {ModeServer, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "a,b" }, "bad-boot-file"},
		"quote":    {ModeServer, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = `a"b` }, "bad-boot-file"},
		"blank":    {ModeServer, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "a b" }, "bad-boot-file"},
		"line end": {ModeServer, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "a\ndhcp-script=/x" }, "bad-boot-file"},
		"umlaut":   {ModeServer, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "ä" }, "bad-boot-file"},
		"tag":      {ModeServer, func(b *dhcp.Boot) { b.NBP[firmware.BIOS] = "tag:x" }, "bad-boot-file"},
		"128 bytes": {ModeServer, func(b *dhcp.Boot) {
			b.NBP[firmware.EFI64] = strings.Repeat("x", 128)
		}, "bad-boot-file"},
		"no dot":           {ModeProxy, func(b *dhcp.Boot) { b.NBP[firmware.EFI64] = "ipxe" }, "bad-boot-file"},
		"URL of BIOS":      {ModeServer, func(b *dhcp.Boot) { b.URL[firmware.BIOS] = "http://x/y" }, "bad-url"},
		"URL of TFTP":      {ModeServer, func(b *dhcp.Boot) { b.URL[firmware.EFI64] = "tftp://x/y" }, "bad-url"},
		"path":             {ModeServer, func(b *dhcp.Boot) { b.URL[firmware.EFI64] = "/x" }, "bad-url"},
		"script of a file": {ModeServer, func(b *dhcp.Boot) { b.Script = "file:///x" }, "bad-script"},
		"long script": {ModeServer, func(b *dhcp.Boot) {
			b.Script = "http://x/" + strings.Repeat("x", 119)
		}, "bad-script"},
		"nothing": {ModeServer, func(b *dhcp.Boot) { *b = dhcp.Boot{NextServer: b.NextServer} }, "no-boot-file"},
	} {
		b := full()
		c.edit(&b)
		bad := checkBoot(b, c.mode)
		if len(bad) != 1 || bad[0].Code != c.code || !bad[0].Refuse {
			t.Errorf("%s: %+v, want %s", name, bad, c.code)
		}
	}
	if bad := checkBoot(onlyName("ipxe"), ModeServer); len(bad) > 0 {
		t.Errorf("a name without a dot where Dnsmasq leases: %+v", bad)
	}
	if bad := checkBoot(onlyName(strings.Repeat("x", 127)), ModeServer); len(bad) > 0 {
		t.Errorf("a name of 127 bytes: %+v", bad)
	}
}

func onlyName(name string) dhcp.Boot {
	return dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.7"), NBP: [firmware.NumArch]string{firmware.BIOS: name}}
}

func TestInterfaceNames(t *testing.T) {
	for name, good := range map[string]bool{
		"eth1": true, "br-lan": true, "eth0.100": true, "wg_x": true, "abcdefghijklmno": true, "-": true,
		"": false, "abcdefghijklmnop": false, ".": false, "..": false, "a/b": false, "eth0:1": false, "e,x": false,
		"e*": false, "!e": false, "e x": false, "é": false,
	} {
		_, err := New(Config{Interface: name})
		if (err == nil) != good {
			t.Errorf("interface %q: %v", name, err)
		}
	}
	if _, err := New(Config{Interface: "eth1", Mode: "relay"}); err == nil {
		t.Error("mode relay is accepted")
	}
	if _, err := New(Config{Interface: "eth1", ConfDir: "dnsmasq.d"}); err == nil {
		t.Error("a relative folder is accepted")
	}
}

// Packages of FreeBSD keep their configuration below /usr/local.
func TestConfDirOfEachSystem(t *testing.T) {
	for goos, want := range map[string]string{"freebsd": "/usr/local/etc/dnsmasq.d", "linux": "/etc/dnsmasq.d"} {
		if got := ConfDir(goos); got != want {
			t.Errorf("%s: %s, want %s", goos, got, want)
		}
	}
}
