package dnsmasq

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// Pi-hole's FTL is Dnsmasq under another name.
func TestDnsmasqUnderAnotherName(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.stop()
	program, err := exec.LookPath("dnsmasq")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	s.write("pihole-FTL", string(text))
	s.write("restart", replaced(t, s.read("restart"), "exec dnsmasq", "exec "+s.path("pihole-FTL")))
	s.restart()
	p := s.apply(testBoot(nextUp))
	if len(p.Problems) > 0 {
		t.Errorf("problems: %+v", p.Problems)
	}
	wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS}),
		`bios udp: undionly.kpxe in option 67, server 10.77.0.7, option 60 "", proxy false`)
	if s.restarts() != 3 {
		t.Errorf("%d starts", s.restarts())
	}
}

func TestProgramsWithDnsmasqInThem(t *testing.T) {
	lab.Need(t, "dnsmasq")
	program, err := exec.LookPath("dnsmasq")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		want kind
	}{
		"dnsmasq":         {text, plainDnsmasq},
		"with FTL around": {slices.Concat(shell, text, shell, []byte("\x00dnsmasq-test-file\x00")), pihole},
		"sh":              {shell, notDnsmasq},
		"a word of both":  {[]byte("dhcp-boot=x\npxe-service=y\n"), notDnsmasq},
		"empty":           {nil, notDnsmasq},
		"at the border":   {slices.Concat(bytes.Repeat([]byte("x"), 1<<20-4), slices.Concat(dnsmasqMarks...)), plainDnsmasq},
	} {
		if got := programKind(bytes.NewReader(c.text)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestHowFTLTests(t *testing.T) {
	ftl := target{process: process{program: "/usr/bin/pihole-FTL", pihole: true}, program: "/usr/bin/pihole-FTL"}
	if got := strings.Join(ftl.testCommand([]string{"--conf-file=/tmp/x"}), " "); got !=
		"/usr/bin/pihole-FTL dnsmasq-test-file /tmp/x" {
		t.Errorf("FTL: %s", got)
	}
	ftl.program = "/usr/sbin/dnsmasq"
	if got := strings.Join(ftl.testCommand([]string{"--conf-file=/tmp/x"}), " "); got !=
		"/usr/sbin/dnsmasq --conf-file=/tmp/x --test" {
		t.Errorf("another program: %s", got)
	}
}

// What helps is said for the program at hand.
func TestFTLThatDoesNotReadTheFolder(t *testing.T) {
	s, err := New(Config{Interface: "eth1"})
	if err != nil {
		t.Fatal(err)
	}
	list := s.daemonProblems(target{tree: tree{own: -1}, elsewhere: []process{{pid: 7, pihole: true}}})
	if len(list) != 1 || list[0].Code != "conf-dir-not-read" ||
		list[0].Text != "the running Dnsmasq (process 7) does not read "+
			"/etc/dnsmasq.d/pxeagent-eth1.conf: configure Pi-hole by its API with dhcp.pihole.url (--pihole), or let it read "+
			"its folder with `pihole-FTL --config misc.etc_dnsmasq_d true`" {
		t.Errorf("%+v", list)
	}
}
