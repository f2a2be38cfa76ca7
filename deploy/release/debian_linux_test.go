package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
)

// debian is a Debian of this machine's release in a folder, where packages are installed without touching the machine.
type debian struct {
	t    *testing.T
	root string
}

// newDebian makes one from the machine's own package sources.
func newDebian(t *testing.T) debian {
	t.Helper()
	lab.Need(t, "mmdebstrap", "chroot", "unshare")
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		lab.Missing(t, "Debian")
	}
	code := regexp.MustCompile(`(?m)^VERSION_CODENAME=(\w+)$`).FindSubmatch(release)
	if code == nil || !strings.Contains(string(release), "\nID=debian\n") {
		lab.Missing(t, "Debian")
	}
	d := debian{t, filepath.Join(t.TempDir(), "debian")}
	args := []string{
		"--mode=root", "--variant=essential", "--include=systemd-standalone-sysusers,systemd-standalone-tmpfiles",
		string(code[1]), d.root,
	}
	for _, pattern := range []string{"sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"} {
		found, err := filepath.Glob("/etc/apt/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, found...)
	}
	if out, err := exec.Command("mmdebstrap", args...).CombinedOutput(); err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, out)
	}
	// What a booted system has, and a systemctl that notes how it is called.
	if err := os.MkdirAll(d.path("/run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/usr/bin/systemctl", "#!/bin/sh\necho \"$*\" >>/systemctl.log\n", 0o755)
	// Debian's own asks it through this, and whether an administrator forbids it.
	d.write("/usr/bin/deb-systemd-invoke", "#!/bin/sh\necho \"invoke $*\" >>/systemctl.log\n", 0o755)
	return d
}

func (d debian) path(name string) string { return filepath.Join(d.root, name) }

func (d debian) write(name, text string, mode os.FileMode) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(name), []byte(text), mode); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chmod(d.path(name), mode); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a program in the tree, and returns what it prints.
func (d debian) run(args ...string) string {
	d.t.Helper()
	// /proc is there for this program alone, and goes with it.
	const inside = `mount -t proc proc "$0/proc" && exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", inside, d.root}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// install installs a package, as apt does where nobody can be asked: a changed configuration is kept.
func (d debian) install(deb string) string {
	d.t.Helper()
	if err := copyFile(d.path("/package.deb"), deb); err != nil {
		d.t.Fatal(err)
	}
	return d.run("dpkg", "--force-confdef", "--force-confold", "-i", "/package.deb")
}

// called is how systemctl was called since it was asked last.
func (d debian) called(want string) {
	d.t.Helper()
	b, err := os.ReadFile(d.path("/systemctl.log"))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	if got := strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "; "); got != want {
		d.t.Errorf("systemctl was called: %q, want %q", got, want)
	}
	if err := os.RemoveAll(d.path("/systemctl.log")); err != nil {
		d.t.Fatal(err)
	}
}

// stat checks who owns a file, and its mode: "root:pxeagent 640".
func (d debian) stat(name, want string) {
	d.t.Helper()
	if got := strings.TrimSpace(d.run("stat", "-c", "%U:%G %a", name)); got != want {
		d.t.Errorf("%s is %s, want %s", name, got, want)
	}
}

func (d debian) missing(names ...string) {
	d.t.Helper()
	for _, name := range names {
		if _, err := os.Lstat(d.path(name)); !os.IsNotExist(err) {
			d.t.Errorf("%s is there, or: %v", name, err)
		}
	}
}

// A package installs, keeps the configuration over an upgrade, and goes: what is the site's stays.
func TestDebianPackage(t *testing.T) {
	t.Parallel()
	first := filepath.Join(made(t), "pxeagent_1.2.3_amd64.deb")
	d := newDebian(t)
	const conf = "/etc/pxeagent/pxeagent.yaml"

	d.install(first)
	d.called("daemon-reload")
	d.stat(conf, "root:pxeagent 640")
	d.stat("/etc/pxeagent", "root:root 755")
	for _, dir := range []string{"", "/tftp", "/http", "/state"} {
		d.stat("/var/lib/pxeagent"+dir, "pxeagent:pxeagent 755")
	}
	if got := d.run("pxeagent", "version"); !strings.HasPrefix(got, "pxeagent 1.2.3 (0123456789ab) ") {
		t.Errorf("installed is %q", got)
	}
	if got := d.run("pxeagent", "config", "check"); !strings.Contains(got, conf) {
		t.Errorf("the configuration that is installed: %q", got)
	}
	if got := d.run("dpkg-query", "-W", "-f", "${Conffiles}", "pxeagent"); strings.Count(got, "/") != 3 ||
		!strings.Contains(got, conf) {
		t.Errorf("files of configuration: %q, want %s alone", got, conf)
	}
	if unit := string(read(t, d.path("/usr/lib/systemd/system/pxeagent.service"))); !strings.HasPrefix(unit, "[Unit]\n") ||
		!strings.Contains(unit, "\nExecStart=/usr/bin/pxeagent serve\n") {
		t.Errorf("the unit that is installed:\n%s", unit)
	}

	have := strings.Split(d.run("dpkg", "-L", "pxeagent"), "\n")
	for _, want := range []string{
		"/usr/lib/systemd/system/pxeagent.socket", "/usr/lib/sysusers.d/pxeagent.conf", "/usr/lib/tmpfiles.d/pxeagent.conf",
		"/usr/share/man/man1/pxeagent-configure.1.gz", "/usr/share/bash-completion/completions/pxeagent",
		"/usr/share/zsh/vendor-completions/_pxeagent", "/usr/share/fish/vendor_completions.d/pxeagent.fish",
		"/usr/share/pxeagent/grafana/pxeagent.json", "/usr/share/pxeagent/prometheus/pxeagent.rules.yml",
		"/usr/share/doc/pxeagent/copyright", "/usr/share/doc/pxeagent/NOTICE",
	} {
		if !slices.Contains(have, want) {
			t.Errorf("it has no %s", want)
		}
	}

	// An upgrade: the administrator's text and mode are kept, and the daemon is restarted where it runs.
	d.write(conf, "log: {level: debug}\n", 0o640)
	d.run("chgrp", "daemon", conf)
	d.install(upgrade(t))
	d.called("daemon-reload; invoke try-restart pxeagent.service")
	if got := string(read(t, d.path(conf))); got != "log: {level: debug}\n" {
		t.Errorf("after the upgrade the configuration is %q", got)
	}
	d.stat(conf, "root:daemon 640")
	if got := d.run("pxeagent", "version"); !strings.HasPrefix(got, "pxeagent 1.2.3 ") {
		t.Errorf("upgraded to %q", got)
	}

	// Removed: configuration and data stay.
	d.write("/var/lib/pxeagent/tftp/theirs", "a file of the site\n", 0o644)
	d.write("/var/lib/pxeagent/state/journal", "{}\n", 0o644)
	d.run("dpkg", "-r", "pxeagent")
	d.called("invoke stop pxeagent.socket pxeagent.service; " +
		"--no-reload --quiet disable pxeagent.socket pxeagent.service; daemon-reload")
	d.missing("/usr/bin/pxeagent", "/usr/lib/systemd/system/pxeagent.service")
	d.stat(conf, "root:daemon 640")
	d.stat("/var/lib/pxeagent/state/journal", "root:root 644")

	// Purged: what is left is the site's.
	if got := d.run("dpkg", "-P", "pxeagent"); !strings.Contains(got, "kept in /var/lib/pxeagent") {
		t.Errorf("purging says %q", got)
	}
	d.missing("/etc/pxeagent", "/var/lib/pxeagent/state", "/var/lib/pxeagent/http")
	if got := string(read(t, d.path("/var/lib/pxeagent/tftp/theirs"))); got != "a file of the site\n" {
		t.Errorf("the site's file is %q", got)
	}
	if err := os.Remove(d.path("/var/lib/pxeagent/tftp/theirs")); err != nil {
		t.Fatal(err)
	}
	d.called("daemon-reload")

	// Over an installation by hand: its configuration is kept, its unit is named. An override of the mode counts.
	d.write(conf, "log: {level: warn}\n", 0o600)
	d.write("/etc/systemd/system/pxeagent.service", "[Service]\nExecStart=/usr/local/bin/pxeagent serve\n", 0o644)
	d.run("dpkg-statoverride", "--update", "--add", "root", "adm", "0600", conf)
	d.write("/usr/local/bin/pxeagent", "by hand\n", 0o755)
	if got := d.install(first); !strings.Contains(got, "/etc/systemd/system/pxeagent.service hides the package's unit") ||
		!strings.Contains(got, "\nhint: ") || strings.Count(got, "pxeagent: ") != 1 {
		t.Errorf("over one by hand: %q", got)
	}
	if got := string(read(t, d.path("/usr/local/bin/pxeagent"))); got != "by hand\n" {
		t.Errorf("the program by hand is %q", got)
	}
	if got := string(read(t, d.path(conf))); got != "log: {level: warn}\n" {
		t.Errorf("the configuration made by hand is %q", got)
	}
	d.stat(conf, "root:adm 600")
	d.run("dpkg", "-P", "pxeagent")
	d.missing("/var/lib/pxeagent")

	// Over a program alone: it comes first in PATH.
	if err := os.Remove(d.path("/etc/systemd/system/pxeagent.service")); err != nil {
		t.Fatal(err)
	}
	const before = "pxeagent: a shell finds /usr/local/bin/pxeagent before the package's /usr/bin/pxeagent\nhint: move it away\n"
	if got := d.install(first); !strings.Contains(got, before) {
		t.Errorf("over a program by hand: %q", got)
	}
}

// upgrade is a package with the same program and a later version.
func upgrade(t *testing.T) string {
	t.Helper()
	r := example(filepath.Join(folder, "one"), "1.3.0")
	dir := t.TempDir()
	shared, dist := filepath.Join(dir, "shared"), filepath.Join(dir, "dist")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.stage(context.Background(), shared); err != nil {
		t.Fatal(err)
	}
	p := platforms[0]
	program := filepath.Join(dir, p.name(), "pxeagent")
	archive := filepath.Join(made(t), "pxeagent_1.2.3_linux_amd64.tar.gz")
	if err := writeFile(program, unpack(t, archive)["pxeagent"]); err != nil {
		t.Fatal(err)
	}
	if err := r.packages(context.Background(), p, filepath.Dir(program), dist); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dist, "pxeagent_1.3.0_amd64.deb")
}
