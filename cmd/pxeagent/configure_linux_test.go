package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

func TestConfigureNextToConflicts(t *testing.T) {
	s := site.New(t, site.Leasing, "")
	s.Write("dnsmasq.d/old.conf", "dhcp-boot=pxelinux.0,,10.77.0.250\n")
	if out, err := s.Box.Run(s.Path("restart")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Serve()
	_, out := s.Run("configure", "--dry-run")
	if !strings.Contains(out, "old.conf:1") {
		t.Errorf("the plan does not name the conflicting line:\n%s", out)
	}
	// Tagged lines win over an untagged one, so machines are sent here nevertheless, and the site's line stays.
	s.Must(0, "configure")
	if s.Read("dnsmasq.d/old.conf") != "dhcp-boot=pxelinux.0,,10.77.0.250\n" {
		t.Error("another file was changed")
	}
}

// The device has addresses in two networks: machines are sent to the one that is in the network of their leases.
func TestNextServerIsInTheLeasedNetwork(t *testing.T) {
	s := site.New(t, "dhcp-range=192.168.50.100,192.168.50.150,255.255.255.0,1h\ndhcp-option=3\n", "")
	s.Box.IP("addr", "add", "192.168.50.1/24", "dev", "eth1")
	if out, err := s.Box.Run(s.Path("restart")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Serve()
	if out := s.Must(0, "configure"); !strings.Contains(out, "next-server  (not set)  ->  192.168.50.1") {
		t.Errorf("next-server is another:\n%s", out)
	}
	s.Must(0, "check")
	_, out := s.Run("configure", "--next-server", site.Addr)
	if !strings.Contains(out, "cannot reach next-server "+site.Addr) {
		t.Errorf("not refused:\n%s", out)
	}
}

// besideProxy is a device with addresses in two networks, in the second of which another server leases.
func besideProxy(t *testing.T) *site.Site {
	t.Helper()
	lab.Need(t, "dhcpd")
	s := site.New(t, "", "")
	s.Write("pxeagent.yaml", strings.Replace(s.Read("pxeagent.yaml"), "  dnsmasq:\n", "  dnsmasq:\n    mode: proxy\n", 1))
	s.Box.IP("addr", "add", "192.168.50.1/24", "dev", "eth1")
	if out, err := s.Box.Run(s.Path("restart")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Seg.Host("isc", "eth2", "192.168.50.2/24").ISC(
		"authoritative; subnet 192.168.50.0 netmask 255.255.255.0 { range 192.168.50.100 192.168.50.120; ping-check false; "+
			"}", "eth2")
	return s
}

// Beside a proxy another server leases the addresses: its own offers tell which address machines reach. configure keeps
// what it saw, so that the daemon knows as well.
func TestNextServerIsInAnothersLeases(t *testing.T) {
	s := besideProxy(t)
	s.Serve()
	s.Agent.WaitOutput(20*time.Second, "the network is not known yet")
	if out := s.Must(0, "configure"); !strings.Contains(out, "next-server  (not set)  ->  192.168.50.1") {
		t.Errorf("next-server is another:\n%s", out)
	}
	for _, command := range []string{"status", "probe", "check"} {
		s.Must(0, command)
	}
	s.Agent.Stop()
	s.Serve()
	s.Agent.WaitOutput(20*time.Second, `msg="DHCP probe" iface=eth1 result=ok`)
	// This machine has moved: what was kept tells nothing any more.
	s.Box.IP("addr", "del", "192.168.50.1/24", "dev", "eth1")
	s.Box.IP("addr", "add", "10.77.0.8/24", "dev", "eth1")
	if out := s.Must(cli.Refused.Exit, "configure"); !strings.Contains(out, "cannot reach next-server: "+site.Addr) {
		t.Errorf("no address is in the network of the leases, and:\n%s", out)
	}
}

func TestNextServerOutsideAnothersLeases(t *testing.T) {
	s := besideProxy(t)
	s.Serve()
	before := tree(s, "dnsmasq.d")
	for _, more := range [][]string{nil, {"--dry-run"}} {
		out := s.Must(cli.Refused.Exit, append([]string{"configure", "--next-server", site.Addr}, more...)...)
		want := "cannot reach next-server: " + site.Addr + " is outside the machine's network 192.168.50.0/24"
		if !strings.Contains(out, want) || tree(s, "dnsmasq.d") != before {
			t.Errorf("want %q and nothing written:\n%s", want, out)
		}
	}
	s.Must(0, "configure", "--next-server", "192.168.50.1")
}

func TestARestartThatFailsPutsBack(t *testing.T) {
	s := site.New(t, site.Leasing, "")
	s.Serve()
	before := tree(s, "dnsmasq.d")
	good := s.Read("restart")
	// It comes up only without our file.
	s.Write("restart", strings.Replace(good, "echo restarted",
		"[ ! -e '"+s.Path("dnsmasq.d/pxeagent-eth1.conf")+"' ] || exit 1\necho restarted", 1))
	out := s.Must(cli.Restart.Exit, "configure")
	if tree(s, "dnsmasq.d") != before {
		t.Errorf("the old files are not back:\n%s", out)
	}
	s.Write("restart", good)
	s.Must(0, "configure")
}

func TestOneConfigureAtATime(t *testing.T) {
	s := site.New(t, site.Leasing, "")
	s.Serve()
	// The first waits in Dnsmasq's restart until it is let go.
	good := s.Read("restart")
	s.Write("restart", strings.Replace(good, "#!/bin/sh\n",
		"#!/bin/sh\necho in restart\necho > '"+s.Path("waiting")+"'\nwhile [ ! -e '"+s.Path("go")+"' ]; do sleep 0.05; "+
			"done\n", 1))
	path, err := site.Binary()
	if err != nil {
		t.Fatal(err)
	}
	first := s.Box.Start(path, "configure", "--config", s.Config)
	waitFor(t, s.Path("waiting"))
	out := s.Must(cli.Locked.Exit, "configure")
	if !strings.Contains(out, "hint:") {
		t.Errorf("no hint:\n%s", out)
	}
	s.Write("go", "")
	if code := first.Wait(60 * time.Second); code != 0 {
		t.Errorf("the first run ended with %d:\n%s", code, first.Output())
	}
}

// waitFor waits until a file exists, which another process makes.
func waitFor(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", path)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// In JSON, changed says whether a run left the DHCP server otherwise than it was; of a dry run, whether it would have.
func TestChangedJSON(t *testing.T) {
	s := site.New(t, site.Leasing, "")
	s.Serve()
	for _, run := range []struct {
		args    string
		code    int
		changed bool
	}{
		{"configure --dry-run", cli.Differs.Exit, true},
		{"configure", 0, true},
		{"configure --dry-run", 0, false},
		{"configure", 0, false},
		{"revert --dry-run", cli.Differs.Exit, true},
		{"revert", 0, true},
		{"revert", cli.NoJournal.Exit, false},
		{"configure", 0, true},
	} {
		out := s.Must(run.code, append(strings.Fields(run.args), "--json")...)
		var got struct {
			Changed  *bool
			Networks []struct{ Changed bool }
		}
		err := json.Unmarshal([]byte(out), &got)
		if err != nil || got.Changed == nil || *got.Changed != run.changed || got.Networks[0].Changed != run.changed {
			t.Errorf("%s: want changed %v: %v: %s", run.args, run.changed, err, out)
		}
	}
}

func TestConfigureJSON(t *testing.T) {
	s := site.New(t, site.Leasing, "")
	s.Serve()
	var got struct {
		Networks []struct {
			Interface string
			Result    struct{ Wrote bool }
			Steps     []struct{ Step string }
			Error     *struct{ Code string }
		}
	}
	out := s.Must(0, "configure", "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(got.Networks) != 1 || got.Networks[0].Interface != "eth1" || !got.Networks[0].Result.Wrote ||
		len(got.Networks[0].Steps) < 5 {
		t.Errorf("got %+v", got)
	}
	s.Agent.Stop()
	s.Write("dnsmasq.d/pxeagent-eth1.conf", s.Read("dnsmasq.d/pxeagent-eth1.conf")+"#\n")
	out = s.Must(cli.NotServing.Exit, "configure", "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Networks[0].Error == nil ||
		got.Networks[0].Error.Code != "not-serving" {
		t.Errorf("%v: %s", err, out)
	}
}

// A machine that is not in the network writes, reads back, and does not claim more.
func TestConfigureWithoutADeviceThere(t *testing.T) {
	s := site.New(t, site.Leasing, "")
	s.Serve()
	s.Box.IP("addr", "del", site.Addr+"/24", "dev", "eth1")
	s.Box.IP("addr", "add", "10.78.0.7/24", "dev", "lo")
	out := s.Must(cli.NoInterface.Exit, "configure")
	if !strings.Contains(out, "10.78.0.7") && !strings.Contains(out, "no IPv4 address") {
		t.Errorf("the error does not say what there is:\n%s", out)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	for what, folder := range map[string]string{"drop-in": "dnsmasq.d", "journal": "state"} {
		t.Run(what, func(t *testing.T) {
			s := site.New(t, site.Leasing, "")
			s.Serve()
			if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=16k", "none",
				s.Path(folder)).CombinedOutput(); err != nil {
				t.Fatalf("mounting: %v: %s", err, out)
			}
			t.Cleanup(func() {
				if out, err := exec.Command("umount", s.Path(folder)).CombinedOutput(); err != nil {
					t.Errorf("unmounting: %v: %s", err, out)
				}
			})
			f, err := os.Create(filepath.Join(s.Path(folder), "zeros"))
			if err != nil {
				t.Fatal(err)
			}
			zeros := make([]byte, 4096)
			for err == nil {
				_, err = f.Write(zeros)
			}
			f.Close()
			before := tree(s, "dnsmasq.d")
			out := s.Must(cli.NotWritable.Exit, "configure")
			if !strings.Contains(out, "hint:") || tree(s, "dnsmasq.d") != before {
				t.Errorf("something was lost, or there is no hint:\n%s\n%s", out, tree(s, "dnsmasq.d"))
			}
			if s.Restarts() != 1 {
				t.Errorf("dnsmasq was restarted")
			}
		})
	}
}

func TestBadSurroundings(t *testing.T) {
	lab.Need(t, "setpriv")
	s := site.New(t, site.Leasing, "")
	nobody := func(args ...string) (int, string) {
		path, err := site.Binary()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Box.Run("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups",
			"--bounding-set=-all", "--inh-caps=-all", path}, args...)...)
		if exit, ok := err.(*exec.ExitError); ok {
			return exit.ExitCode(), out
		}
		return 0, out
	}
	if err := os.Chmod(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		run  func() (int, string)
		code cli.Code
		says string
	}{
		{"no such interface", func() (int, string) {
			return s.Run("configure", "--interface", "eth9")
		}, cli.NoInterface, "eth9"},
		{"the same, with next-server", func() (int, string) {
			return s.Run("configure", "--interface", "eth9", "--next-server", site.Addr, "--not-serving-yet")
		}, cli.NoInterface, "eth9"},
		{"no root folder", func() (int, string) { return s.Run("serve", "--root", s.Path("nowhere")) }, cli.Root, "nowhere"},
		{"root is a file", func() (int, string) { return s.Run("serve", "--root", s.Config) }, cli.Root, "pxeagent.yaml"},
		{"root may not be read", func() (int, string) {
			if err := os.MkdirAll(s.Path("secret"), 0o700); err != nil {
				t.Fatal(err)
			}
			return nobody("serve", "--root", s.Path("secret"), "--next-server", site.Addr, "--tftp", ":6969", "--http", ":8080")
		}, cli.Root, "secret"},
		{"no right to port 69", func() (int, string) {
			return nobody("serve", "--root", "/", "--next-server", site.Addr)
		}, cli.Permission, "setcap"},
		{"no right to a raw socket", func() (int, string) {
			return nobody("probe", "--interface", "eth1")
		}, cli.Permission, "setcap"},
		{"YAML", func() (int, string) {
			s.Write("bad.yaml", "interface: [eth1\nserve: x\n")
			path, _ := site.Binary()
			out, err := s.Box.Run(path, "config", "check", "--config", s.Path("bad.yaml"))
			if exit, ok := err.(*exec.ExitError); ok {
				return exit.ExitCode(), out
			}
			return 0, out
		}, cli.Usage, "bad.yaml"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, out := c.run()
			if code != c.code.Exit || !strings.Contains(out, c.says) {
				t.Errorf("exit %v, want %v and %q:\n%s", code, c.code, c.says, out)
			}
			if lines := strings.Count(out, "pxeagent: "); lines != 1 || !strings.Contains(out, "hint: ") && c.code != cli.Usage {
				t.Errorf("want one line of error and a hint:\n%s", out)
			}
		})
	}
	t.Run("port taken", func(t *testing.T) {
		s.Serve()
		code, out := s.Run("serve")
		if code != cli.PortTaken.Exit || !strings.Contains(out, "hint: ") {
			t.Errorf("exit %v:\n%s", code, out)
		}
	})
	t.Run("dnsmasq is not installed", func(t *testing.T) {
		s.EndDnsmasq()
		// An empty folder over the places where it could be found besides.
		s.Write("hide", "#!/bin/sh\nfor d in /usr/sbin /usr/local/sbin /sbin; do [ -L $d ] || mount -t tmpfs none $d || "+
			"exit 99; done\nexec \"$@\"\n")
		if err := os.Chmod(s.Path("hide"), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := s.Box.Run("unshare", "--mount", s.Path("hide"), must(t, site.Binary), "configure", "--config", s.Config,
			"--not-serving-yet")
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.ExitCode() != cli.NoProgram.Exit || !strings.Contains(out, "hint: ") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

func must[T any](t *testing.T, f func() (T, error)) T {
	t.Helper()
	v, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tree is a folder's files with all their bytes.
func tree(s *site.Site, dir string) string {
	s.T.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(s.Path(dir))
	if err != nil {
		s.T.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "zeros" {
			b.WriteString("\n== " + e.Name() + "\n" + s.Read(filepath.Join(dir, e.Name())))
		}
	}
	return b.String()
}
