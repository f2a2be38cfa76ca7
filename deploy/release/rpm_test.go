package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
)

// query asks rpm(8) about a package file.
func query(t *testing.T, rpm string, args ...string) string {
	t.Helper()
	out, err := exec.Command("rpm", append(append([]string{"--nosignature", "-qp"}, args...), rpm)...).Output()
	if err != nil {
		t.Fatalf("rpm -qp %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// rpm reads the package as it is meant.
func TestRPM(t *testing.T) {
	rpm := filepath.Join(made(t), "pxeagent-1.2.3-1.x86_64.rpm")
	if _, err := exec.LookPath("rpm"); err != nil {
		lab.Missing(t, "rpm")
	}
	if out, err := exec.Command("rpm", "--nosignature", "-K", rpm).CombinedOutput(); err != nil {
		t.Errorf("its checksums: %v\n%s", err, out)
	}
	const head = "%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE} %{BUILDHOST} %{BUILDTIME}"
	want := "pxeagent 1.2.3 1 x86_64 Apache-2.0 AND GPL-2.0-only localhost 1767323045"
	if got := query(t, rpm, "--queryformat", head); got != want {
		t.Errorf("it is %q, want %q", got, want)
	}
	if got := query(t, rpm, "--configfiles"); got != "/etc/pxeagent/pxeagent.yaml" {
		t.Errorf("files of configuration: %q", got)
	}
	const each = "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]"
	files := strings.Split(query(t, rpm, "--queryformat", each), "\n")
	for _, want := range []string{
		"/usr/bin/pxeagent -rwxr-xr-x root:root",
		"/etc/pxeagent/pxeagent.yaml -rw-r----- root:root",
		"/usr/lib/systemd/system/pxeagent.service -rw-r--r-- root:root",
		"/usr/lib/systemd/system/pxeagent.socket -rw-r--r-- root:root",
		"/usr/lib/sysusers.d/pxeagent.conf -rw-r--r-- root:root",
		"/usr/lib/tmpfiles.d/pxeagent.conf -rw-r--r-- root:root",
		"/usr/share/man/man1/pxeagent-configure.1.gz -rw-r--r-- root:root",
		"/usr/share/bash-completion/completions/pxeagent -rw-r--r-- root:root",
		"/usr/share/zsh/site-functions/_pxeagent -rw-r--r-- root:root",
		"/usr/share/fish/vendor_completions.d/pxeagent.fish -rw-r--r-- root:root",
		"/usr/share/pxeagent/grafana/pxeagent.json -rw-r--r-- root:root",
		"/usr/share/pxeagent/prometheus/pxeagent.rules.yml -rw-r--r-- root:root",
		"/usr/share/licenses/pxeagent/LICENSE -rw-r--r-- root:root",
		"/usr/share/licenses/pxeagent/NOTICE -rw-r--r-- root:root",
	} {
		if !slices.Contains(files, want) {
			t.Errorf("it has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it has:\n%s", strings.Join(files, "\n"))
	}
	scripts := query(t, rpm, "--scripts")
	for _, want := range []string{
		"systemd-sysusers pxeagent.conf", "units try-restart pxeagent.service", "disable pxeagent.socket pxeagent.service",
	} {
		if !strings.Contains(scripts, want) {
			t.Errorf("its scripts have no %q", want)
		}
	}
	for _, not := range []string{"systemctl enable", "systemctl start", "systemctl restart"} {
		if strings.Contains(scripts, not) {
			t.Errorf("its scripts have %q", not)
		}
	}
}
