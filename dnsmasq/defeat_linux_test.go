package dnsmasq

import (
	"net"
	"os"
	"strings"
	"testing"

	"pxeagent/agent/firmware"
)

// Debian's script names the conf-dir on the command line (-7), so that the main file is read after it: its lines win.
func TestMainFileThatIsReadLast(t *testing.T) {
	s := newSite(t, ModeServer,
		leasing+"dhcp-match=set:efi64,option:client-arch,7\ndhcp-boot=tag:efi64,old.efi,,10.77.0.99\n")
	s.conf(func(text string) string { return cut(text, "conf-dir=") })
	s.write("restart", replaced(t, s.read("restart"), "exec dnsmasq",
		"exec dnsmasq -7 "+s.confDir+",.dpkg-dist,.dpkg-old"))
	s.restart()
	p := s.plan(testBoot(nextUp))
	s.refused(p, "overridden", "dhcp-boot=tag:efi64,old.efi,,10.77.0.99 ("+s.path("dnsmasq.conf")+":8) is read after "+
		"pxeagent-eth1.conf and wins for efi64: remove it, or move it to a file that is read before, such as "+
		s.path("dnsmasq.d/00-site.conf"))
	if err := s.server().Apply(t.Context(), p); err == nil || s.files() != "" || s.restarts() != 2 {
		t.Errorf("applied: %v, files %q, %d starts", err, s.files(), s.restarts())
	}
	// It is true: this is what would have been sent.
	s.write("dnsmasq.d/pxeagent-eth1.conf", string(p.After.Raw))
	s.restart()
	efi64 := []firmware.Client{firmware.ClientEFI64}
	wantOffers(t, s.discovers(t.Context(), efi64),
		`efi64 udp: old.efi in option 67, server 10.77.0.99, option 60 "", proxy false`)
	// And so is the remedy.
	s.conf(func(text string) string { return cut(text, "dhcp-boot=") })
	s.write("dnsmasq.d/00-site.conf", "dhcp-boot=tag:efi64,old.efi,,10.77.0.99\n")
	s.restart()
	wantCodes(t, s.apply(testBoot(nextUp)), "other-match", "other-boot")
	wantOffers(t, s.discovers(t.Context(), efi64),
		`efi64 udp: ipxe.efi in option 67, server 10.77.0.7, option 60 "", proxy false`)
}

func TestOnlyKnownMachinesGetAddresses(t *testing.T) {
	for _, lines := range []string{
		"dhcp-range=10.77.0.0,static,255.255.255.0\ndhcp-host=02:70:78:65:00:01,10.77.0.60,web\n",
		leasing + "dhcp-ignore=tag:!known\ndhcp-host=02:70:78:65:00:01,10.77.0.60\n",
	} {
		s := newSite(t, ModeServer, lines)
		s.refused(s.plan(testBoot(nextUp)), "only-known",
			"set probe.mac (--probe-mac) to the MAC address of one that a dhcp-host")
		s.cfg.ProbeMAC = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 9}
		s.refused(s.plan(testBoot(nextUp)), "only-known", "set probe.mac")
		s.cfg.ProbeMAC = probeMAC
		s.apply(testBoot(nextUp))
		wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS}),
			`bios udp: undionly.kpxe in option 67, server 10.77.0.7, option 60 "", proxy false`)
	}
}

// Whether the probe is a known machine cannot be read: the plan goes on, and knows why if it is not.
func TestHostsInAnotherFile(t *testing.T) {
	s := newSite(t, ModeServer, "dhcp-range=10.77.0.0,static,255.255.255.0\n")
	s.write("hosts", "02:70:78:65:00:02,10.77.0.60\n")
	s.write("dnsmasq.d/hosts.conf", "dhcp-hostsfile="+s.path("hosts")+"\n")
	s.restart()
	s.cfg.ProbeMAC = probeMAC
	p := s.apply(testBoot(nextUp))
	if want := "only known machines get addresses: dhcp-range=10.77.0.0,static,255.255.255.0 (" +
		s.path("dnsmasq.conf") + ":6)"; p.Silence != want {
		t.Errorf("silence %q, want %q", p.Silence, want)
	}
	p = newSite(t, ModeServer, leasing+"dhcp-mac=set:no,02:70:78:65:*:*\ndhcp-ignore=tag:no\n").plan(testBoot(nextUp))
	if !strings.Contains(p.Silence, "never answered: dhcp-ignore=tag:no (") {
		t.Errorf("silence %q", p.Silence)
	}
	if p := newSite(t, ModeServer, leasing).plan(testBoot(nextUp)); p.Silence != "" {
		t.Errorf("silence %q", p.Silence)
	}
}

// Configurations as they are found beside a site's Dnsmasq.
func TestBootMenusOfOthers(t *testing.T) {
	for file, want := range map[string]struct {
		mode Mode
		text string // "": accepted
	}{
		"centos.conf":     {ModeServer, "centos.conf:3): bios, ipxe would follow that boot menu"},
		"rpi.conf":        {ModeServer, "rpi.conf:1): bios, ipxe would follow that boot menu"},
		"rpi-by-mac.conf": {ModeServer, ""},
		"ltsp.conf":       {ModeProxy, "ltsp.conf:9): bios would follow that boot menu"},
		"ltsp-other.conf": {ModeProxy, ""},
	} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		extra := leasing
		if want.mode == ModeProxy {
			extra = ""
		}
		s := newSite(t, want.mode, extra)
		s.write("dnsmasq.d/"+file, string(text))
		s.restart()
		if want.text != "" {
			s.refused(s.plan(testBoot(nextUp)), "boot-menu", want.text)
			continue
		}
		s.apply(testBoot(nextUp))
		name := `bios udp: undionly.kpxe in option 67, server 10.77.0.7, option 60 "PXEClient", proxy false`
		if want.mode == ModeProxy {
			name = `bios udp: undionly.kpxe in file, server 10.77.0.7, option 60 "PXEClient", proxy true`
		}
		wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS}), name)
	}
}
