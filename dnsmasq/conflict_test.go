package dnsmasq

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
)

// problemsOf are the problems that a main file of these lines makes, whose conf-dir is read before its last line.
func problemsOf(t *testing.T, mode Mode, before, after string) []dhcp.Problem {
	t.Helper()
	dir := layout(t, map[string]string{"main.conf": before + "\nconf-dir=DIR/d\n" + after + "\n", "d/README": "# nothing"})
	s, err := New(Config{Interface: "eth1", ConfDir: dir + "/d", Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	d := dropIn{boot: full(), mode: mode, nets: []netip.Addr{netip.MustParseAddr("10.77.0.0")}}
	tr, err := readTree([]string{"-C", dir + "/main.conf"}, "", s.file, d.render("eth1"))
	if err != nil {
		t.Fatal(err)
	}
	n := network{addrs: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24")}, others: []string{"eth2", "lo"}}
	list := s.judge(tr, n, d).problems()
	for i := range list {
		list[i].Text = strings.ReplaceAll(list[i].Text, dir, "DIR")
	}
	return list
}

func TestConflicts(t *testing.T) {
	const lease = "dhcp-range=10.77.0.50,10.77.0.99\n"
	for _, c := range []struct {
		before, after string
		codes         string
		text          string // in the first problem
		refuse        bool
	}{
		{before: lease},
		{before: lease + "dhcp-boot=pxelinux.0", codes: "other-boot",
			text: "dhcp-boot=pxelinux.0 (DIR/main.conf:2) is sent to machines that pxeagent does not cover"},
		{before: lease + "dhcp-boot=tag:x,a.0,,10.77.0.3", codes: "other-boot", text: "does not cover"},
		{before: lease, after: "dhcp-boot=tag:x,a.0,,10.77.0.3", codes: "other-boot",
			text: "(DIR/main.conf:4) is read later and wins"},
		{before: lease, after: "dhcp-boot=tag:eth2,a.0\ndhcp-boot=tag:!eth1,b.0\ndhcp-option=tag:eth2,66,x"},
		{before: lease + "dhcp-match=set:efi,option:client-arch,7\ndhcp-match=set:i,175\ndhcp-vendorclass=set:p,PXEClient:Arch:00007\ndhcp-userclass=set:i,iPXE\ndhcp-vendorclass=set:v,MSFT",
			codes: "other-match other-match other-match other-match", text: "(DIR/main.conf:2)"},
		{before: lease + "dhcp-option=tag:x,option:bootfile-name,x\ndhcp-option-force=66,1.2.3.4\ndhcp-option=60,X\ndhcp-option=43,x\ndhcp-option=option:ntp-server,1.2.3.4",
			codes: "other-option other-option other-option other-option"},
		{before: lease + "dhcp-option=encap:175,190,x", codes: "other-option", text: "changes what iPXE does"},
		{before: lease + "pxe-service=tag:x,x86PC,Menu,x\npxe-prompt=F8,3", codes: "other-pxe other-pxe"},
		{before: lease + "dhcp-optsfile=/etc/opts\ndhcp-optsdir=/etc/opts.d", codes: "options-file options-file"},
		{before: lease + "enable-tftp", codes: "own-tftp"},
		{before: lease + "enable-tftp=eth2"},
		{before: lease + "dhcp-ignore=tag:x", codes: "ignores-clients"},
		{before: lease + "conf-script=/etc/x", codes: ""},

		{before: "", codes: "no-range", text: "leases no addresses in 10.77.0.0/24", refuse: true},
		{before: "dhcp-range=10.78.0.50,10.78.0.99", codes: "no-range", refuse: true},
		{before: "dhcp-range=fd00::1,fd00::9", codes: "no-range", refuse: true},
		{before: "dhcp-range=tag:eth2,10.77.0.50,10.77.0.99", codes: "no-range", refuse: true},
		{before: "dhcp-range=10.77.0.50,10.77.0.60,255.255.255.240", codes: "no-range", refuse: true},
		{before: "dhcp-range=10.77.0.0,proxy", codes: "no-range", text: "set dhcp.dnsmasq.mode to proxy", refuse: true},
		{before: "dhcp-range=tag:vip,10.77.0.50,10.77.0.99,12h"},
		{before: "dhcp-range=10.77.0.50,10.77.0.99,255.255.0.0"},
		{before: "shared-network=eth1,10.80.0.1\ndhcp-range=10.80.0.50,10.80.0.99,255.255.255.0"},
		{before: lease + "dhcp-option=tag:eth2,3\ndhcp-option=option:router,10.77.0.1\ndhcp-range=10.77.1.9,10.77.1.99,255.255.0.0"},
		{before: lease + "interface=eth2", codes: "not-served", text: "add interface=eth1", refuse: true},
		{before: lease + "interface=eth2,eth*"},
		{before: lease + "interface=eth2\nlisten-address=10.77.0.1\nexcept-interface=eth1"},
		{before: lease + "except-interface=eth*", codes: "not-served", text: "except-interface=eth* (DIR/main.conf:2)",
			refuse: true},
		{before: lease + "no-dhcp-interface=eth1", codes: "not-served", refuse: true},
		{before: lease + "listen-address=127.0.0.1", codes: "not-served", refuse: true},
	} {
		list := problemsOf(t, ModeServer, c.before, c.after)
		checkProblems(t, c.before+c.after, list, c.codes, c.text, c.refuse)
	}
}

func TestConflictsOfAProxy(t *testing.T) {
	for _, c := range []struct {
		before, codes, text string
		refuse              bool
	}{
		{before: "", codes: "opens-ports affects-http", text: "affects all interfaces: Dnsmasq does not do DHCP yet"},
		{before: "dhcp-range=10.78.0.50,10.78.0.99", codes: "opens-ports affects-pxe affects-http",
			text: "will open UDP port 4011"},
		{before: "dhcp-range=10.78.0.50,10.78.0.99\npxe-service=tag:eth2,x86PC,Menu,x\ndhcp-pxe-vendor=PXEClient,HTTPClient"},
		{before: "dhcp-range=10.77.0.50,10.77.0.99", codes: "leases-here opens-ports affects-pxe affects-http",
			text: "set dhcp.dnsmasq.mode to server", refuse: true},
	} {
		checkProblems(t, c.before, problemsOf(t, ModeProxy, c.before, ""), c.codes, c.text, c.refuse)
	}
}

func checkProblems(t *testing.T, lines string, list []dhcp.Problem, codes, text string, refuse bool) {
	t.Helper()
	var got []string
	for _, q := range list {
		got = append(got, q.Code)
	}
	if !slices.Equal(got, strings.Fields(codes)) {
		t.Errorf("%q: %+v, want %s", lines, list, codes)
		return
	}
	if len(list) > 0 && (!strings.Contains(list[0].Text, text) || list[0].Refuse != refuse) {
		t.Errorf("%q: %+v, want %q, refused %v", lines, list[0], text, refuse)
	}
}
