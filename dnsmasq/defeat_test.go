package dnsmasq

import (
	"net"
	"strings"
	"testing"
)

// Each of these was written and put back, or even called proven, before the plan knew better.
func TestLinesThatDefeatTheDropIn(t *testing.T) {
	const (
		lease = "dhcp-range=10.77.0.50,10.77.0.99\n"
		proxy = "dhcp-range=set:proxy,10.77.0.0,proxy\n"
		efi   = "dhcp-match=set:efi64,option:client-arch,7\n"
	)
	for _, c := range []struct {
		mode          Mode
		before, after string
		code, text    string
	}{
		{before: lease + efi, after: "dhcp-boot=tag:efi64,old.efi,,10.77.0.99", code: "overridden",
			text: "dhcp-boot=tag:efi64,old.efi,,10.77.0.99 (DIR/main.conf:5) is read after pxeagent-eth1.conf and wins for " +
				"efi64: " +
				"remove it, or move it to a file that is read before, such as DIR/d/00-site.conf"},
		{before: lease, after: "dhcp-vendorclass=pxe,PXEClient\ndhcp-boot=net:pxe,/ltsp/pxelinux.0", code: "overridden",
			text: "wins for bios, efi64, efi-bc, efi32, arm64, ipxe"},
		{before: lease, after: "dhcp-userclass=set:gpxe,iPXE\ndhcp-boot=tag:gpxe,menu.ipxe", code: "overridden",
			text: "wins for ipxe"},
		{before: lease, after: "dhcp-match=set:x,175\ndhcp-boot=tag:!x,tag:eth1,a.0", code: "overridden",
			text: "wins for bios, efi64, efi-bc, efi32, arm64, http64"},
		{before: "dhcp-range=set:lan,10.77.0.50,10.77.0.99", after: "dhcp-boot=tag:lan,a.0", code: "overridden"},
		{before: lease + efi + "tag-if=set:uefi,tag:efi64,tag:!x", after: "dhcp-boot=tag:uefi,a.efi", code: "overridden",
			text: "wins for efi64"},
		{before: lease, after: "dhcp-match=set:x,option:client-arch,00:10\ndhcp-boot=tag:x,http://10.77.0.3/a.efi",
			code: "overridden", text: "wins for http64"},
		{before: lease + "pxe-service=0,Raspberry Pi Boot", code: "boot-menu",
			text: "bios, ipxe would follow that boot menu"},
		{before: lease + `pxe-service=X86PC, "Install CentOS 7", pxelinux`, code: "boot-menu",
			text: "(DIR/main.conf:2): bios"},
		{before: lease, after: "pxe-service=x86-64_EFI,A,a.efi", code: "boot-menu", text: "efi64 would follow"},
		{before: lease + "dhcp-option=60,PXEClient", code: "boot-menu",
			text: "with it efi64, efi-bc, efi32, arm64 would look"},
		{before: lease + "dhcp-option=vendor:PXEClient,6,2b", code: "boot-menu", text: "would look for a boot server"},
		// A boot menu in raw bytes: the local disk at once; a boot server of its own; a prompt that waits for a key.
		{before: lease + "dhcp-option=60,PXEClient\ndhcp-option=43,09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff",
			code: "boot-menu", text: "(DIR/main.conf:3): bios, efi64, efi-bc, efi32, arm64, ipxe would follow it and not " +
				"fetch pxeagent's boot files (10.77.0.7 sends the ROM to the local disk"},
		{before: lease + "dhcp-option-force=option:vendor-class,PXEClient\ndhcp-option-force=option:vendor-encap,6:1:3:8:7:" +
			"80:0:1:a:4d:0:63:9:6:80:0:3:6f:6c:64:a:4:0:6f:6c:64:ff", code: "boot-menu",
			text: "sends the ROM to a boot server of type 32768"},
		{before: lease + "dhcp-option=60,PXEClient\ndhcp-option=43,09:08:80:00:05:6c:6f:63:61:6c:ff", code: "boot-menu",
			text: "waits for a key for ever"},
		{before: lease + efi + "dhcp-option=60,PXEClient\ndhcp-option=tag:efi64,43,06:01:08:ff", code: "boot-menu",
			text: "with it efi-bc, efi32, arm64 would look"},
		{before: lease + "dhcp-option=67,other.0", code: "second-boot-file",
			text: `in one option 67, as "undionly.kpxe\x00other.0"; remove it`},
		{before: lease + efi + "dhcp-option-force=tag:efi64,option:bootfile-name,x", code: "second-boot-file",
			text: "bootfile-name,x (DIR/main.conf:3): efi64 would be sent"},
		{before: lease + "dhcp-ignore=tag:!known", code: "only-known",
			text: "only known machines get addresses: dhcp-ignore=tag:!known (DIR/main.conf:2); set probe.mac"},
		{before: lease + efi + "dhcp-ignore=tag:efi64", code: "ignores-clients", text: "never answers efi64"},
		{before: "dhcp-range=10.77.0.0,static,255.255.255.0\ndhcp-host=52:54:00:00:00:01,10.77.0.60", code: "only-known",
			text: "dhcp-range=10.77.0.0,static,255.255.255.0 (DIR/main.conf:1); set probe.mac (--probe-mac)"},
		{before: "dhcp-range=tag:known,10.77.0.50,10.77.0.99", code: "only-known"},
		// What LTSP and its like put beside a proxy.
		{mode: ModeProxy, before: proxy + "pxe-service=tag:proxy,X86PC,Boot,ltsp/pxelinux", code: "boot-menu"},
		{mode: ModeProxy, before: proxy + `pxe-prompt="Press F8 for boot menu", 3`, code: "boot-menu"},
		{mode: ModeProxy, before: proxy,
			after: "dhcp-vendorclass=set:x,PXEClient:Arch:00000\ndhcp-boot=tag:x,ltsp/undionly.kpxe",
			code:  "overridden", text: "wins for bios, ipxe"},
		{mode: ModeProxy, before: "dhcp-ignore=tag:!known", code: "only-known"},
	} {
		mode := c.mode
		if mode == "" {
			mode = ModeServer
		}
		var refused []string
		for _, q := range problemsOf(t, mode, c.before, c.after) {
			if q.Refuse {
				refused = append(refused, q.Code+": "+q.Text)
			}
		}
		if len(refused) != 1 || !strings.HasPrefix(refused[0], c.code+": ") || !strings.Contains(refused[0], c.text) {
			t.Errorf("%q, %q: refused for %q, want %s: %q", c.before, c.after, refused, c.code, c.text)
		}
	}
}

// What is for other machines, other networks, or says the same, keeps nobody from going on.
func TestLinesThatDoNotDefeatTheDropIn(t *testing.T) {
	const lease = "dhcp-range=10.77.0.50,10.77.0.99\n"
	for _, c := range []struct {
		mode          Mode
		before, after string
	}{
		{ModeServer, lease + "dhcp-mac=set:rpi,b8:27:eb:*:*:*\npxe-service=tag:rpi,0,Raspberry Pi Boot", ""},
		{ModeServer, lease + "pxe-service=tag:rpi,0,Raspberry Pi Boot", ""},
		{ModeServer, lease + "pxe-service=tag:eth2,x86PC,Menu,x\npxe-service=PC98,Menu,x", "pxe-prompt=F8,3"},
		{ModeServer, lease, "dhcp-mac=set:a,52:54:00:*:*:*\ndhcp-boot=tag:a,x.0"},
		{ModeServer, lease, "dhcp-host=52:54:00:00:00:01,set:a\ndhcp-boot=tag:a,x.0"},
		{ModeServer, lease, "dhcp-boot=tag:eth2,x.0\ndhcp-boot=tag:!eth1,y.0\ndhcp-boot=z.0"},
		{ModeServer, lease + "dhcp-range=set:b,10.78.0.50,10.78.0.99,255.255.255.0", "dhcp-boot=tag:b,x.0"},
		{ModeServer, lease, "dhcp-match=set:p,option:client-arch,2\ndhcp-boot=tag:p,x.0"},
		{ModeServer, lease, "dhcp-match=set:b,option:client-arch,0\ndhcp-match=set:i,175\n" +
			"dhcp-boot=tag:b,tag:!i,undionly.kpxe,,10.77.0.7"},
		{ModeServer, lease, "dhcp-vendorclass=set:e,Etherboot\ndhcp-boot=tag:e,nbi.img\ndhcp-match=set\ndhcp-boot=tag:x"},
		{ModeServer, lease + "dhcp-boot=tag:lan,a\ndhcp-match=set:a,option:client-arch,0\ndhcp-boot=tag:a,pxelinux.0", ""},
		{ModeServer, lease + "dhcp-option=60,PXEClient\npxe-prompt=F8,3", ""},
		{ModeServer, lease + "dhcp-option=vendor:PXEClient,6,8\ndhcp-option=vendor:MSFT,2,1i", ""},
		{ModeServer, lease + "dhcp-option=43,09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff", ""},
		{ModeServer, lease + "dhcp-option=60,MSFT\ndhcp-option=43,09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff", ""},
		{ModeServer, lease + "dhcp-option=60,PXEClient\n" +
			"dhcp-option=43,06:01:0b:09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff", ""},
		{ModeServer, lease + "dhcp-mac=set:o,b8:27:eb:*:*:*\ndhcp-option=tag:o,60,PXEClient\n" +
			"dhcp-option=tag:o,43,09:08:00:00:05:6c:6f:63:61:6c:0a:01:00:ff", ""},
		{ModeServer, lease + "dhcp-ignore=tag:eth2\ndhcp-mac=set:no,52:54:00:*:*:*\ndhcp-ignore=tag:no", ""},
		{ModeServer, "dhcp-range=10.77.0.0,static\n" + lease, ""},
		{ModeServer, lease, "tag-if=set:a,tag:b\ntag-if=set:b,tag:a\ndhcp-boot=tag:a,x.0"},
		{ModeProxy, "dhcp-range=set:b,10.78.0.50,10.78.0.99\npxe-service=tag:b,x86PC,Menu,x\npxe-prompt=tag:b,F8,3", ""},
		{ModeProxy, "dhcp-range=10.77.0.0,proxy\ndhcp-option=vendor:pxe,6,2b\ndhcp-no-override", ""},
		{ModeProxy, "", "dhcp-match=set:e,option:client-arch,7\ndhcp-boot=tag:e,x.efi"},
	} {
		for _, q := range problemsOf(t, c.mode, c.before, c.after) {
			if q.Refuse {
				t.Errorf("%q, %q: %+v", c.before, c.after, q)
			}
		}
	}
}

func TestKnownMachines(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	for lines, want := range map[string]share{
		"": never,
		"dhcp-host=52:54:00:00:00:01,10.77.0.60,web": always,
		"dhcp-host=52:54:00:00:00:02":                never,
		"dhcp-host=set:x,52:54:0:*:*:*,10.77.0.60":   always,
		"dhcp-host=01-52:54:00:00:00:01,x":           always,
		"dhcp-host=52:54:00:00:00:00:00:01,x":        never,
		"dhcp-hostsfile=/etc/hosts.dhcp":             some,
		"read-ethers":                                some,
	} {
		d := parseLine(lines)
		if got := knows([]directive{d}, mac); got != want {
			t.Errorf("%q: %d, want %d", lines, got, want)
		}
		if got := knows([]directive{d}, nil); got != never {
			t.Errorf("%q without an address: %d", lines, got)
		}
	}
}
