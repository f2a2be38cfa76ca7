package boots

import (
	"fmt"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
)

// Everybody is told undionly.kpxe, undionly.kpxe among them. Behind Kea it is started on a bad link, elsewhere.
func TestUndionlyBootsBehindAFirewall(t *testing.T) {
	t.Parallel()
	for n, d := range []dhcp{isc, dnsmasq} {
		t.Run(string(d), func(t *testing.T) {
			d.needs(t)
			s := newRoom(t, "", "")
			s.behind(d)
			s.boots(s.bootUndionly(fmt.Sprintf("52:54:00:77:01:0%d", n)), firstLoaded, brokenTFTP, menuByHTTP)
			if n := s.Metric("pxeagent_loops_seen_total"); n != 0 {
				t.Errorf("the doctor saw %v loops where none was", n)
			}
		})
	}
}

// Everybody is told ipxe.efi, ipxe.efi among them. With the breaker alone nothing else helps. Behind Kea, and behind
// Dnsmasq, it is started elsewhere.
func TestUEFIBootsBehindAFirewall(t *testing.T) {
	isc.needs(t)
	s := newRoom(t, "", "chain: tftp\n")
	s.behind(isc, "undionly.kpxe", "ipxe.efi")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:01:02", UEFI: true})
	s.boots(m, nbpByTFTP, brokenEFI, menuByHTTP)
}

// UEFI is told the BIOS file's name, is given its own, and what that asks for is answered with the script. Neither
// embedding nor DHCP help here.
func TestUEFIBootsBehindKeaByTheOneName(t *testing.T) {
	kea.needs(t)
	s := newRoom(t, "", "chain: tftp\n")
	s.Set("  universal: true\n")
	s.behind(kea)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:01:03", UEFI: true})
	s.boots(m, step{proto: "tftp", class: "uefi", artifact: "nbp", says: "quirks=.*other_firmware"}, menuByHTTP)
}

// pfSense with the URL for UEFI HTTP boot set says HTTPClient to everyone who asks for option 60. undionly.kpxe then
// introduces itself as one, and is told the .efi file's URL.
func TestBothBootBehindISCWithUEFIHTTPBoot(t *testing.T) {
	isc.needs(t)
	s := newRoom(t, "", "")
	s.behind(
		isc,
		"authoritative;\n",
		"authoritative;\noption arch code 93 = unsigned integer 16;\noption custom-opt1-0 code 60 = text;\n",
		`	filename "undionly.kpxe";
`,
		`	option custom-opt1-0 "HTTPClient";
	if substring (option vendor-class-identifier, 0, 10) = "HTTPClient" {
		filename "http://10.77.0.7/ipxe.efi";
	} else if option arch = 00:07 {
		filename "ipxe.efi";
	} else {
		filename "undionly.kpxe";
	}
`,
	)
	efi := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:01:04", UEFI: true, HTTPBoot: true})
	s.boots(efi, nbpByHTTP, menuByHTTP)
	efi.Stop()
	s.boots(s.bootUndionly("52:54:00:77:01:05"), firstLoaded)
	if n := s.Metric("pxeagent_loops_broken_total"); n < 1 {
		t.Errorf("the breaker answered %v times, and undionly.kpxe was told to load an NBP", n)
	}
}

// With the breaker off iPXE goes round and round, and the doctor says so, once.
func TestLoopIsSeenWithTheBreakerOff(t *testing.T) {
	isc.needs(t)
	s := newRoom(t, "", "chain: \"off\"\n")
	s.behind(isc)
	s.bootUndionly("52:54:00:77:01:06")
	s.Agent.WaitOutput(
		bootLimit,
		`level=WARN msg="loop: .* client=10\.77\.0\.\d+ .*file=undionly.kpxe .*remedy=".*set chain: auto`,
	)
	if n := s.Metric("pxeagent_loops_seen_total"); n != 1 {
		t.Errorf("%v loops are counted of one", n)
	}
	if n := strings.Count(s.Agent.Output(), `msg="loop: `); n != 1 {
		t.Errorf("one loop was logged %d times", n)
	}
}
