package dnsmasq

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestPlanShowsConflicts(t *testing.T) {
	s := newSite(t, ModeServer, leasing+"enable-tftp\n")
	s.write("dnsmasq.d/zz.conf", "dhcp-mac=set:old,02:70:78:65:*:*\ndhcp-boot=tag:old,grub.efi,,10.77.0.3\n")
	s.restart()
	p := s.apply(testBoot(nextUp))
	wantCodes(t, p, "own-tftp", "other-boot")
	for _, q := range p.Problems {
		if q.Code == "other-boot" && !strings.Contains(q.Text, "zz.conf:2) is read later and wins") {
			t.Errorf("%+v", q)
		}
	}
	// It is as the plan said, and what the probe is for.
	wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientEFI64}),
		`efi64 udp: grub.efi in option 67, server 10.77.0.3, option 60 "", proxy false`)
}

func TestPlanOfAnEditedDropIn(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.apply(testBoot(nextUp))
	raw, err := os.ReadFile(s.server().File())
	if err != nil {
		t.Fatal(err)
	}
	s.write("dnsmasq.d/pxeagent-eth1.conf", string(raw)+"log-dhcp\n")
	p := s.plan(testBoot(nextUp))
	if p.Empty() || p.Before.Boot != testBoot(nextUp) {
		t.Errorf("plan: %+v", p)
	}
	wantCodes(t, p, "edited")
	s.cfg.Mode = ModeProxy
	wantCodes(t, s.plan(testBoot(nextUp)), "edited", "mode", "leases-here", "opens-ports", "affects-pxe", "affects-http")
}

func TestFolderThatIsNotRead(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	other := s.path("other.d")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	s.cfg.ConfDir = other
	p := s.plan(testBoot(nextUp))
	q, refused := p.Refused()
	if !refused || q.Code != "conf-dir-not-read" || !strings.Contains(q.Text, "conf-dir="+other) ||
		!strings.Contains(q.Text, "process ") {
		t.Errorf("plan: %+v", p.Problems)
	}
	if err := s.server().Apply(t.Context(), p); err == nil || s.restarts() != 1 {
		t.Errorf("a refused plan is applied: %v", err)
	}
}

// Where no daemon runs, what Debian's init script would start is planned for, tested and started.
func TestDaemonThatDoesNotRun(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.stop()
	s.write("default", "DNSMASQ_OPTS=\"--conf-file="+s.path("dnsmasq.conf")+"\"\n")
	p := s.apply(testBoot(nextUp))
	wantCodes(t, p, "not-running")
	if s.pid() == 0 {
		t.Error("it was not started")
	}
	wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS}),
		`bios udp: undionly.kpxe in option 67, server 10.77.0.7, option 60 "", proxy false`)
}

func TestWhatIsMissing(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.host.IP("tuntap", "add", "bare0", "mode", "tap")
	for _, c := range []struct {
		edit func(*Config)
		want error
	}{
		{func(c *Config) { c.Interface = "eth7" }, ErrNoInterface},
		{func(c *Config) { c.Interface = "bare0" }, ErrNoAddress},
		{func(c *Config) { c.Command = s.path("no-dnsmasq") }, ErrNotInstalled},
	} {
		was := s.cfg
		c.edit(&s.cfg)
		if _, err := s.server().Plan(t.Context(), testBoot(nextUp)); !errors.Is(err, c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %v", err, c.want)
		}
		if p, err := s.server().Plan(t.Context(), dhcp.Boot{}); err != nil || !p.Empty() {
			t.Errorf("turning off: %+v, %v", p, err)
		}
		s.cfg = was
	}
}

func TestConfigurationIsTestedFirst(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	p := s.plan(testBoot(nextUp))
	s.write("dnsmasq.d/bad.conf", "# fine\nno-such-option\n")
	err := s.server().Apply(t.Context(), p)
	if !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(),
		"bad option at line 2 of "+s.path("dnsmasq.d/bad.conf")) {
		t.Errorf("apply: %v", err)
	}
	if s.files() != "bad.conf" || s.restarts() != 1 {
		t.Errorf("files %q, %d starts", s.files(), s.restarts())
	}
	server := s.server()
	flat := func(raw string) (err error) {
		s.host.Do(func() {
			var tg target
			if tg, err = server.find([]byte(raw)); err == nil {
				err = testFlat(t.Context(), tg)
			}
		})
		return err
	}
	if err := flat(string(p.After.Raw)); !errors.Is(err, ErrRejected) ||
		!strings.HasSuffix(err.Error(), "bad option at line 2 of "+s.path("dnsmasq.d/bad.conf")) {
		t.Errorf("a copy in one file: %v", err)
	}
	if err := os.Remove(s.path("dnsmasq.d/bad.conf")); err != nil {
		t.Fatal(err)
	}
	// A second drop-in beside the old one would be refused: this option may stand only once.
	s.write("dnsmasq.d/pxeagent-eth1.conf", "dhcp-lease-max=7\n")
	for _, raw := range []string{"dhcp-lease-max=8\n", "dhcp-boot=\n# nothing\n", string(p.After.Raw)} {
		s.host.Do(func() { err = server.test(t.Context(), []byte(raw)) })
		if err != nil {
			t.Errorf("in a mount namespace %q: %v", raw, err)
		}
		if err := flat(raw); err != nil {
			t.Errorf("in one file %q: %v", raw, err)
		}
	}
	for _, raw := range []string{"dhcp-lease-max=7\nbad\n", "dhcp-boot=\"\n"} {
		s.host.Do(func() { err = server.test(t.Context(), []byte(raw)) })
		if !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), " of "+server.File()) {
			t.Errorf("in a mount namespace %q: %v", raw, err)
		}
		if err := flat(raw); !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), " of "+server.File()) {
			t.Errorf("in one file %q: %v", raw, err)
		}
	}
	if text, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(text), s.confDir) {
		t.Errorf("a mount is left: %v", err)
	}
	if s.read("dnsmasq.d/pxeagent-eth1.conf") != "dhcp-lease-max=7\n" {
		t.Error("testing wrote the drop-in")
	}
}

// One under a supervisor has no exit code to fail with: it listens, and then it ends.
func TestDaemonThatEndsSoon(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	p := s.plan(testBoot(nextUp))
	good := s.read("restart")
	s.write("restart", strings.Replace(good, "exec dnsmasq", "dnsmasq", 1)+
		"read pid <"+s.path("pid")+"\n(sleep 0.2; kill -9 $pid) >/dev/null 2>&1 &\n")
	server := s.server()
	server.settle = time.Second
	restarts := 0
	server.step = func(what string) {
		if what != "restart" {
			return
		}
		if restarts++; restarts == 2 {
			s.write("restart", good)
		}
	}
	err := server.Apply(t.Context(), p)
	if !errors.Is(err, dhcp.ErrReload) || !strings.Contains(err.Error(), "ended right after it started") ||
		s.files() != "" {
		t.Errorf("%v, files %q", err, s.files())
	}
	if s.pid() == 0 || startOf(s.pid()) == "" {
		t.Error("it does not run")
	}
}
