package dnsmasq

import (
	"strings"
	"testing"
)

func TestRestartCommands(t *testing.T) {
	for _, c := range []struct{ system, has, unit, want string }{
		{"linux", "/run/systemd/system", "", "systemctl restart dnsmasq.service"},
		{"linux", "/run/systemd/system", "dnsmasq@lan.service", "systemctl restart dnsmasq@lan.service"},
		{"linux", "/etc/openwrt_release", "", "/etc/init.d/dnsmasq restart"},
		{"linux", "/sbin/openrc-run", "", "rc-service dnsmasq restart"},
		{"linux", "", "", "service dnsmasq restart"},
		{"freebsd", "", "", "service dnsmasq restart"},
	} {
		got := strings.Join(restartCommand(c.system, c.unit, func(path string) bool { return path == c.has }), " ")
		if got != c.want {
			t.Errorf("%s with %s: %q, want %q", c.system, c.has, got, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for cgroups, want := range map[string]string{
		"0::/system.slice/dnsmasq.service\n":                          "dnsmasq.service",
		"0::/system.slice/system-dnsmasq.slice/dnsmasq@lan.service\n": "dnsmasq@lan.service",
		"12:pids:/system.slice/dnsmasq.service\n1:name=systemd:/x\n":  "dnsmasq.service",
		"0::/system.slice/NetworkManager.service\n":                   "",
		"0::/system.slice/libvirtd.service\n":                         "",
		"0::/system.slice/pihole-FTL.service\n":                       "pihole-FTL.service",
		"0::/user.slice/user-0.slice/session-1.scope\n":               "",
		"": "",
	} {
		if got := unitIn(cgroups); got != want {
			t.Errorf("%q: %q, want %q", cgroups, got, want)
		}
	}
}

func TestDHCPPort(t *testing.T) {
	for conf, want := range map[string]int{
		"": 0, "dhcp-range=fd00::1,fd00::9": 0, "dhcp-range=10.0.0.1,10.0.0.9": 67, "dhcp-range=tag:x,10.0.0.0,proxy": 67,
		"dhcp-relay=10.0.0.1,10.9.0.1": 67, "dhcp-range=10.0.0.1,static\ndhcp-alternate-port": 1067,
		"dhcp-range=10.0.0.1,static\ndhcp-alternate-port=6767,6768": 6767,
	} {
		var tr tree
		for d := range directives("x", conf) {
			tr.lines = append(tr.lines, d)
		}
		if got := dhcpPort(tr); got != want {
			t.Errorf("%q: port %d, want %d", conf, got, want)
		}
	}
}
