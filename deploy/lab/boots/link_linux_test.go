package boots

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
)

// rules gives the box packet filter rules of a table by the name "link"; "" takes them away again.
func (s *room) rules(text string) {
	s.T.Helper()
	lab.Need(s.T, "nft")
	s.Write("rules", "table ip link { }\ndelete table ip link\n"+text)
	if out, err := s.Box.Run("nft", "-f", s.Path("rules")); err != nil {
		s.T.Fatalf("setting packet filter rules: %v: %s", err, out)
	}
}

// lossy drops one packet of a hundred in each direction, whichever it is.
func (s *room) lossy() {
	s.T.Helper()
	// Packets go one by one: a lost one is not to take with it what the kernel would cut up later.
	s.Box.IP("link", "set", "eth1", "gso_max_segs", "1")
	s.rules(`table ip link {
 counter lost { }
 chain in { type filter hook input priority 0; iif eth1 numgen random mod 100 < 1 counter name lost drop; }
 chain out { type filter hook output priority 0; oif eth1 numgen random mod 100 < 1 counter name lost drop; }
}
`)
}

// lost is how many packets lossy dropped.
func (s *room) lost() int {
	s.T.Helper()
	out, err := s.Box.Run("nft", "list", "counter", "ip", "link", "lost")
	m := regexp.MustCompile(`packets (\d+)`).FindStringSubmatch(out)
	if err != nil || m == nil {
		s.T.Fatalf("asking for the lost packets: %v: %s", err, out)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// Behind Kea both firmwares come over a link that loses packets, and what they fetch is whole.
func TestBIOSBootsOnALossyLink(t *testing.T) {
	kea.needs(t)
	s := newEmptyRoom(t, "10.77.0.7", "", "menu:\n  default: smartos-"+stamp+"\n  timeout: 1s\n")
	noise := s.smartos(4 << 20)
	s.Serve()
	s.behind(kea)
	s.lossy()
	got := s.boots(
		s.bootUndionly("52:54:00:77:03:01"),
		firstLoaded,
		brokenTFTP,
		menuByHTTP,
		step{proto: "http", file: "/" + archive},
	)
	if diff := cmp.Diff(s.smartosTold("-B console=text,smartos=true", noise), got,
		cmp.AllowUnexported(told{}, module{})); diff != "" {
		t.Errorf("what the kernel was told (-want +got)\n%s", diff)
	}
	if n := s.lost(); n < 10 {
		t.Errorf("%d packets were lost; that is not a bad link", n)
	}
}

func TestUEFIBootsOnALossyLink(t *testing.T) {
	kea.needs(t)
	s := newRoom(t, "", "")
	s.behind(kea, "undionly.kpxe", "ipxe.efi")
	s.lossy()
	s.boots(s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:03:02", UEFI: true}), nbpByTFTP, menuByHTTP)
	if n := s.lost(); n == 0 {
		t.Error("no packet was lost; that is not a bad link")
	}
}

// The server has two cards on the network and a second address on one of them, which is next-server; firmware takes
// nothing from another address than it asked. The machine has two cards there as well.
func TestUEFIBootsFromASecondAddress(t *testing.T) {
	s := newEmptyRoom(t, "10.77.0.7", "", bothKernels+"next_server: 10.77.0.8\n")
	s.Box.IP("addr", "add", "10.77.0.8/24", "dev", "eth1")
	s.Seg.Plug(s.Box, "eth2", "10.77.0.9/24")
	s.Write("root/http/memtest86+x64.efi", newHerald(t).efi)
	s.Write("root/http/memtest86+x64.bin", newHerald(t).bios)
	s.Serve()
	s.behind(dnsmasq, "undionly.kpxe,,10.77.0.7", "ipxe.efi,,10.77.0.8")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:03:03", UEFI: true, More: []lab.Card{{MAC: "52:54:00:77:03:04"}}})
	s.boots(m, nbpByTFTP, menuByHTTP)
	m.WaitOutput(bootLimit, `http://10\.77\.0\.8/ipxe/bootstrap\.ipxe\.\.\. ok`)
}

// A machine loses its power while it loads a large file, is switched on again, and boots from the beginning.
func TestPowerIsLostWhileTheImageLoads(t *testing.T) {
	s := newEmptyRoom(t, "10.77.0.7", "", "menu:\n  default: smartos-"+stamp+"\n  timeout: 1s\n")
	noise := s.smartos(16 << 20)
	s.Serve()
	s.behind(dnsmasq)
	s.rules(
		"table ip link {\n chain out { type filter hook output priority 0; tcp sport 80 limit rate over 400 kbytes/second " +
			"burst 4 mbytes drop; }\n}\n",
	)
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:03:05"})
	m.WaitOutput(bootLimit, `/boot_archive\.\.\. +\d`)
	if n := s.Metric("pxeagent_requests_in_flight", `protocol="http"`); n < 1 {
		t.Errorf("%v requests are under way, and the machine waits for its image", n)
	}
	m.Unplug()
	s.rules("")
	if before := s.watched(m); before.Result != boot.UnderWay {
		t.Errorf("the boot has the result %q before anyone can know", before.Result)
	}
	got := s.boots(s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:03:05"}), step{proto: "http", file: "/" + archive})
	if diff := cmp.Diff(s.smartosTold("-B console=text,smartos=true", noise), got,
		cmp.AllowUnexported(told{}, module{})); diff != "" {
		t.Errorf("what the kernel was told (-want +got)\n%s", diff)
	}
}

// The same while firmware loads iPXE, and once more when iPXE has run: firmware is given iPXE itself each time, for all
// that iPXE asked the same names from the same address a moment ago.
func TestPowerIsLostWhileIPXELoads(t *testing.T) {
	isc.needs(t)
	s := newRoom(t, "", "chain: tftp\n")
	s.behind(isc, "undionly.kpxe", "ipxe.efi")
	s.rules(
		"table ip link {\n chain out { type filter hook output priority 0; meta length > 1000 udp sport != 67 limit rate " +
			"over 20/second burst 50 packets drop; }\n}\n",
	)
	const mac = "52:54:00:77:03:06"
	m := s.Seg.Boot(lab.QEMU{MAC: mac, UEFI: true})
	m.WaitOutput(bootLimit, `Downloading NBP file`)
	s.inFlight(1)
	m.Unplug()
	s.rules("")
	m = s.Seg.Boot(lab.QEMU{MAC: mac, UEFI: true})
	s.boots(m, nbpByTFTP, brokenEFI, menuByHTTP)
	m.Unplug()
	m = s.Seg.Boot(lab.QEMU{MAC: mac, UEFI: true})
	m.WaitOutput(bootLimit, `NBP file downloaded successfully`)
	s.Agent.WaitOutput(bootLimit, `(?s)`+nbpByTFTP.pattern()+`.*`+nbpByTFTP.pattern())
	s.Agent.WaitOutput(
		bootLimit,
		`msg=served proto=tftp .*file=ipxe.efi class=uefi artifact=nbp outcome=(timeout|aborted|error)`,
	)
	s.inFlight(0)
	if n := s.Metric("pxeagent_loops_seen_total"); n != 0 {
		t.Errorf("the doctor saw %v loops where none was", n)
	}
}

// inFlight waits until so many requests by TFTP are under way.
func (s *room) inFlight(want float64) {
	s.T.Helper()
	deadline := time.Now().Add(bootLimit)
	for {
		n := s.Metric("pxeagent_requests_in_flight", `protocol="tftp"`)
		if n == want {
			return
		}
		if time.Now().After(deadline) {
			s.T.Fatalf("%v requests are under way, want %v", n, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// The script that is to be compiled into iPXE, run by an iPXE: its first card leads nowhere, and the second to the
// menu.
func TestTheEmbeddedScriptLeadsToTheMenu(t *testing.T) {
	s := newRoom(t, "", "")
	s.behind(dnsmasq)
	s.Write("root/http/own.ipxe", s.Must(0, "ipxe", "script"))
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:03:08", More: []lab.Card{{MAC: "52:54:00:77:03:07", Dead: true}}})
	atPrompt(m, "dhcp net1 && chain http://10.77.0.7/own.ipxe")
	s.boots(m, step{proto: "http", file: "/own.ipxe"}, menuByHTTP)
	m.WaitOutput(
		bootLimit,
		`(?s)/own\.ipxe\.\.\. ok.*Configuring \(net0 52:54:00:77:03:07\).*Configuring \(net1 52:54:00:77:03:08\).*/ipxe/bootstrap\.ipxe\.\.\. ok`,
	)
}
