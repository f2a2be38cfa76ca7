package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// The road of a site's operator, with everything in Dnsmasq's own namespace.
func TestConfigureAgainRevert(t *testing.T) {
	s := newSite(t, leasing, "")
	before := s.tree("dnsmasq.d")
	s.must(int(exitNotServing), "configure")
	if s.tree("dnsmasq.d") != before || s.restarts() != 1 {
		t.Fatal("a refused configure wrote something")
	}
	s.serve()

	out := s.must(int(exitDiffers), "configure", "--dry-run")
	for _, want := range []string{"next-server", "undionly.kpxe", "ipxe.efi", "http://" + siteAddr + "/ipxe/bootstrap.ipxe"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan does not show %q:\n%s", want, out)
		}
	}
	if s.tree("dnsmasq.d") != before {
		t.Fatal("a dry run wrote something")
	}

	s.must(0, "configure")
	written, restarts := s.tree("dnsmasq.d"), s.restarts()
	if restarts != 2 || !strings.Contains(written, "pxeagent-eth1.conf") || strings.Count(written, "\n== ") != strings.Count(before, "\n== ")+1 {
		t.Fatalf("%d starts of dnsmasq, and in its folder:\n%s", restarts, written)
	}
	s.must(0, "probe")
	s.must(0, "check")

	out = s.must(0, "configure")
	if s.tree("dnsmasq.d") != written || s.restarts() != restarts {
		t.Errorf("the second configure wrote or restarted:\n%s", out)
	}
	if !strings.Contains(out, "nothing was written") {
		t.Errorf("the second configure does not say so:\n%s", out)
	}

	s.must(int(exitDiffers), "revert", "--dry-run")
	s.must(0, "revert")
	if got := s.tree("dnsmasq.d"); got != before {
		t.Errorf("after revert:\n%s\nwant:\n%s", got, before)
	}
	s.must(int(exitNoJournal), "revert")
	s.must(int(exitWrong), "probe")
}

func TestRevertRefusesAfterAForeignEdit(t *testing.T) {
	s := newSite(t, leasing, "")
	s.serve()
	s.must(0, "configure")
	drop := "dnsmasq.d/pxeagent-eth1.conf"
	edited := s.read(drop) + "dhcp-option=tag:eth1,42,10.77.0.1\n"
	s.write(drop, edited)
	out := s.must(int(exitChanged), "revert")
	if s.read(drop) != edited {
		t.Errorf("the edit is gone:\n%s", out)
	}
	s.must(0, "revert", "--discard-later-changes")
	if _, err := os.Stat(s.path(drop)); err == nil {
		t.Error("the drop-in is still there")
	}
}

func TestConfigureNextToConflicts(t *testing.T) {
	s := newSite(t, leasing, "")
	s.write("dnsmasq.d/old.conf", "dhcp-boot=pxelinux.0,,10.77.0.250\n")
	if out, err := s.box.Run(s.path("restart")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.serve()
	_, out := s.run("configure", "--dry-run")
	if !strings.Contains(out, "old.conf:1") {
		t.Errorf("the plan does not name the conflicting line:\n%s", out)
	}
	// Tagged lines win over an untagged one, so machines are sent here nevertheless, and the site's line stays.
	s.must(0, "configure")
	if s.read("dnsmasq.d/old.conf") != "dhcp-boot=pxelinux.0,,10.77.0.250\n" {
		t.Error("another file was changed")
	}
}

func TestARestartThatFailsPutsBack(t *testing.T) {
	s := newSite(t, leasing, "")
	s.serve()
	before := s.tree("dnsmasq.d")
	good := s.read("restart")
	// It comes up only without our file.
	s.write("restart", strings.Replace(good, "echo restarted", "[ ! -e '"+s.path("dnsmasq.d/pxeagent-eth1.conf")+"' ] || exit 1\necho restarted", 1))
	out := s.must(int(exitRestart), "configure")
	if s.tree("dnsmasq.d") != before {
		t.Errorf("the old files are not back:\n%s", out)
	}
	s.write("restart", good)
	s.must(0, "configure")
}

func TestOneConfigureAtATime(t *testing.T) {
	s := newSite(t, leasing, "")
	s.serve()
	// The first waits in Dnsmasq's restart until it is let go.
	good := s.read("restart")
	s.write("restart", strings.Replace(good, "#!/bin/sh\n", "#!/bin/sh\necho in restart\necho > '"+s.path("waiting")+"'\nwhile [ ! -e '"+s.path("go")+"' ]; do sleep 0.05; done\n", 1))
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	first := s.box.Start(path, "configure", "--config", s.config)
	waitFor(t, s.path("waiting"))
	out := s.must(int(exitLocked), "configure")
	if !strings.Contains(out, "hint:") {
		t.Errorf("no hint:\n%s", out)
	}
	s.write("go", "")
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

func TestConfigureJSON(t *testing.T) {
	s := newSite(t, leasing, "")
	s.serve()
	var got struct {
		Networks []struct {
			Interface string
			Result    struct{ Wrote bool }
			Steps     []struct{ Step string }
			Error     *struct{ Name string }
		}
	}
	out := s.must(0, "configure", "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(got.Networks) != 1 || got.Networks[0].Interface != "eth1" || !got.Networks[0].Result.Wrote || len(got.Networks[0].Steps) < 5 {
		t.Errorf("got %+v", got)
	}
	s.agent.Stop()
	s.write("dnsmasq.d/pxeagent-eth1.conf", s.read("dnsmasq.d/pxeagent-eth1.conf")+"#\n")
	out = s.must(int(exitNotServing), "configure", "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Networks[0].Error == nil || got.Networks[0].Error.Name != "not-serving" {
		t.Errorf("%v: %s", err, out)
	}
}

// A machine that is not in the network writes, reads back, and does not claim more.
func TestConfigureWithoutADeviceThere(t *testing.T) {
	s := newSite(t, "interface=eth1\ndhcp-range=10.77.0.50,10.77.0.90,1h\n", "")
	s.serve()
	s.box.IP("addr", "del", siteAddr+"/24", "dev", "eth1")
	s.box.IP("addr", "add", "10.78.0.7/24", "dev", "lo")
	out := s.must(int(exitNoInterface), "configure")
	if !strings.Contains(out, "10.78.0.7") && !strings.Contains(out, "no IPv4 address") {
		t.Errorf("the error does not say what there is:\n%s", out)
	}
}

func TestDiskFull(t *testing.T) {
	for what, folder := range map[string]string{"drop-in": "dnsmasq.d", "journal": "state"} {
		t.Run(what, func(t *testing.T) {
			s := newSite(t, leasing, "")
			s.serve()
			if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=16k", "none", s.path(folder)).CombinedOutput(); err != nil {
				t.Fatalf("mounting: %v: %s", err, out)
			}
			t.Cleanup(func() {
				if out, err := exec.Command("umount", s.path(folder)).CombinedOutput(); err != nil {
					t.Errorf("unmounting: %v: %s", err, out)
				}
			})
			f, err := os.Create(filepath.Join(s.path(folder), "zeros"))
			if err != nil {
				t.Fatal(err)
			}
			zeros := make([]byte, 4096)
			for err == nil {
				_, err = f.Write(zeros)
			}
			f.Close()
			before := s.tree("dnsmasq.d")
			out := s.must(int(exitNotWritable), "configure")
			if !strings.Contains(out, "hint:") || s.tree("dnsmasq.d") != before {
				t.Errorf("something was lost, or there is no hint:\n%s\n%s", out, s.tree("dnsmasq.d"))
			}
			if s.restarts() != 1 {
				t.Errorf("dnsmasq was restarted")
			}
		})
	}
}

func TestBadSurroundings(t *testing.T) {
	lab.Need(t, "setpriv")
	s := newSite(t, leasing, "")
	nobody := func(args ...string) (int, string) {
		path, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.box.Run("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", path}, args...)...)
		if exit, ok := err.(*exec.ExitError); ok {
			return exit.ExitCode(), out
		}
		return 0, out
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		run  func() (int, string)
		code exitCode
		says string
	}{
		{"no such interface", func() (int, string) { return s.run("configure", "--interface", "eth9") }, exitNoInterface, "eth9"},
		{"the same, with next-server", func() (int, string) {
			return s.run("configure", "--interface", "eth9", "--next-server", siteAddr, "--not-serving-yet")
		}, exitNoInterface, "eth9"},
		{"no root folder", func() (int, string) { return s.run("serve", "--root", s.path("nowhere")) }, exitRoot, "nowhere"},
		{"root is a file", func() (int, string) { return s.run("serve", "--root", s.config) }, exitRoot, "pxeagent.yaml"},
		{"root may not be read", func() (int, string) {
			if err := os.MkdirAll(s.path("secret"), 0o700); err != nil {
				t.Fatal(err)
			}
			return nobody("serve", "--root", s.path("secret"), "--next-server", siteAddr, "--tftp", ":6969", "--http", ":8080")
		}, exitRoot, "secret"},
		{"no right to port 69", func() (int, string) {
			return nobody("serve", "--root", "/", "--next-server", siteAddr)
		}, exitPermission, "setcap"},
		{"no right to a raw socket", func() (int, string) { return nobody("probe", "--interface", "eth1") }, exitPermission, "setcap"},
		{"YAML", func() (int, string) {
			s.write("bad.yaml", "interface: [eth1\nserve: x\n")
			path, _ := binary()
			out, err := s.box.Run(path, "config", "check", "--config", s.path("bad.yaml"))
			if exit, ok := err.(*exec.ExitError); ok {
				return exit.ExitCode(), out
			}
			return 0, out
		}, exitUsage, "bad.yaml"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, out := c.run()
			if code != int(c.code) || !strings.Contains(out, c.says) {
				t.Errorf("exit %d, want %d and %q:\n%s", code, c.code, c.says, out)
			}
			if lines := strings.Count(out, "pxeagent: "); lines != 1 || !strings.Contains(out, "hint: ") && c.code != exitUsage {
				t.Errorf("want one line of error and a hint:\n%s", out)
			}
		})
	}
	t.Run("port taken", func(t *testing.T) {
		s.serve()
		code, out := s.run("serve")
		if code != int(exitPortTaken) || !strings.Contains(out, "hint: ") {
			t.Errorf("exit %d:\n%s", code, out)
		}
	})
	t.Run("dnsmasq is not installed", func(t *testing.T) {
		s.endDnsmasq()
		// An empty folder over the places where it could be found besides.
		s.write("hide", "#!/bin/sh\nfor d in /usr/sbin /usr/local/sbin /sbin; do [ -L $d ] || mount -t tmpfs none $d || exit 99; done\nexec \"$@\"\n")
		if err := os.Chmod(s.path("hide"), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := s.box.Run("unshare", "--mount", s.path("hide"), must(t, binary), "configure", "--config", s.config, "--not-serving-yet")
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.ExitCode() != int(exitNoProgram) || !strings.Contains(out, "hint: ") {
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
func (s *site) tree(dir string) string {
	s.t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(s.path(dir))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "zeros" {
			b.WriteString("\n== " + e.Name() + "\n" + s.read(filepath.Join(dir, e.Name())))
		}
	}
	return b.String()
}
