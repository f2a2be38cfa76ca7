package boots

import (
	"regexp"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// firewallAddr is a firewall's that leases addresses and is configured by nobody here.
const firewallAddr = "10.77.0.1"

// What pfSense writes for one file name, to ISC dhcpd and to Kea 2.2: everybody is told it, iPXE among them. Kea sends it in option 67
// alone, without a terminator.
const (
	pfSenseISC = `authoritative;
one-lease-per-client true;
deny duplicates;
subnet 10.77.0.0 netmask 255.255.255.0 {
	pool { range 10.77.0.100 10.77.0.149; }
	ping-check true;
	next-server 10.77.0.7;
	filename "undionly.kpxe";
}
`
	pfSenseKea = `{"Dhcp4": {
 "interfaces-config": {"interfaces": ["eth1"]}, "valid-lifetime": 7200, "authoritative": true, "echo-client-id": false,
 "client-classes": [{"name": "ipxe_legacy_opt1", "test": "member('ALL')", "only-if-required": true,
  "option-data": [{"name": "boot-file-name", "data": "undionly.kpxe"}]}],
 "subnet4": [{"id": 2, "subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.100 - 10.77.0.149"}], "next-server": "10.77.0.7",
  "require-client-classes": ["ipxe_legacy_opt1"]}]}}`
)

// behindISC and behindKea start the firewall's DHCP server.
func (s *room) behindISC(conf string) {
	s.Seg.Host("firewall", "eth1", firewallAddr+"/24").ISC(conf, "eth1")
}

func (s *room) behindKea(conf string) {
	s.Seg.Host("firewall", "eth1", firewallAddr+"/24").Kea(conf)
}

// bootUndionly has QEMU's ROM, which is iPXE, do what a ROM does: load undionly.kpxe, here under a name that the ROM is given.
func (s *room) bootUndionly(mac string) *lab.Machine {
	s.T.Helper()
	lab.Need(s.T, "curl")
	if out, err := s.Box.Run("curl", "-sS", "-o", s.Path("root/tftp/first.kpxe"), "tftp://"+site.Addr+"/undionly.kpxe"); err != nil {
		s.T.Fatalf("fetching undionly.kpxe: %v: %s", err, out)
	}
	m := s.Seg.Boot(lab.QEMU{MAC: mac})
	m.WaitOutput(bootLimit, `Press Ctrl-B for the iPXE command line`)
	m.Type("\x02")
	m.WaitOutput(bootLimit, `iPXE>`)
	typeAtPrompt(m, "dhcp net0 && chain tftp://"+site.Addr+"/first.kpxe")
	return m
}

// typeAtPrompt types no faster than iPXE reads: a BIOS keeps 16 keys and drops the rest.
func typeAtPrompt(m *lab.Machine, text string) {
	for n := 0; n < len(text); {
		step := min(4, len(text)-n)
		m.Type(text[n : n+step])
		n += step
		m.WaitOutput(bootLimit, `iPXE> `+regexp.QuoteMeta(text[:n]))
	}
	m.Type("\r")
}

const (
	firstLoaded = `proto=tftp .*file=\S*first.kpxe.* outcome=ok`
	brokenTFTP  = `proto=tftp .*file=\S*undionly.kpxe.* class=ipxe artifact=script outcome=ok .*loop_broken=true`
	menuByHTTP  = `proto=http .*file=/ipxe/bootstrap.ipxe class=ipxe artifact=script outcome=ok`
)

func TestUndionlyBootsBehindISC(t *testing.T) {
	lab.Need(t, "dhcpd")
	s := newRoom(t, "", "")
	s.behindISC(pfSenseISC)
	s.boots(s.bootUndionly("52:54:00:77:01:01"), firstLoaded, brokenTFTP, menuByHTTP)
	if n := s.Metric("pxeagent_loops_seen_total"); n != 0 {
		t.Errorf("the doctor saw %v loops where none was", n)
	}
}

func TestUndionlyBootsBehindKea(t *testing.T) {
	lab.Need(t, "kea-dhcp4")
	s := newRoom(t, "", "")
	s.behindKea(pfSenseKea)
	s.boots(s.bootUndionly("52:54:00:77:01:02"), firstLoaded, brokenTFTP, menuByHTTP)
}

// UEFI is told the BIOS file's name, is given its own, and what that asks for is answered with the script. Neither
// embedding nor DHCP help here.
func TestUEFIBootsBehindKeaByTheOneName(t *testing.T) {
	lab.Need(t, "kea-dhcp4")
	s := newRoom(t, "", "chain: tftp\n")
	s.Set("  universal: true\n")
	s.behindKea(pfSenseKea)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:01:03", UEFI: true})
	s.boots(m, `proto=tftp .*class=uefi artifact=nbp outcome=ok .*quirks=.*other_firmware`, menuByHTTP)
}

// pfSense with the URL for UEFI HTTP boot set says HTTPClient to everyone who asks for option 60. undionly.kpxe then introduces itself as one,
// and is told the .efi file's URL.
func TestBothBootBehindISCWithUEFIHTTPBoot(t *testing.T) {
	lab.Need(t, "dhcpd")
	s := newRoom(t, "", "")
	s.behindISC("option arch code 93 = unsigned integer 16;\noption custom-opt1-0 code 60 = text;\n" + strings.Replace(pfSenseISC, `	filename "undionly.kpxe";
`, `	option custom-opt1-0 "HTTPClient";
	if substring (option vendor-class-identifier, 0, 10) = "HTTPClient" {
		filename "http://10.77.0.7/ipxe.efi";
	} else if option arch = 00:07 {
		filename "ipxe.efi";
	} else {
		filename "undionly.kpxe";
	}
`, 1))
	efi := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:01:04", UEFI: true, HTTPBoot: true})
	s.boots(efi, `proto=http .*class=uefi artifact=nbp outcome=ok`, menuByHTTP)
	efi.Stop()
	s.boots(s.bootUndionly("52:54:00:77:01:05"), firstLoaded)
	if n := s.Metric("pxeagent_loops_broken_total"); n < 1 {
		t.Errorf("the breaker answered %v times, and undionly.kpxe was told to load an NBP", n)
	}
}

// With the breaker off iPXE goes round and round, and the doctor says so, once.
func TestLoopIsSeenWithTheBreakerOff(t *testing.T) {
	lab.Need(t, "dhcpd")
	s := newRoom(t, "", "chain: \"off\"\n")
	s.behindISC(pfSenseISC)
	s.bootUndionly("52:54:00:77:01:06")
	s.Agent.WaitOutput(bootLimit, `level=WARN msg="loop: .* client=10\.77\.0\.\d+ .*file=undionly.kpxe .*remedy=".*set chain: auto`)
	if n := s.Metric("pxeagent_loops_seen_total"); n != 1 {
		t.Errorf("%v loops are counted of one", n)
	}
	if n := strings.Count(s.Agent.Output(), `msg="loop: `); n != 1 {
		t.Errorf("one loop was logged %d times", n)
	}
}
