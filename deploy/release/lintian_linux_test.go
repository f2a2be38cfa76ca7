package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pxeagent/deploy/lab"
)

// lintian has nothing to say but what the overrides list, and each of those is needed.
func TestLintian(t *testing.T) {
	t.Parallel()
	deb := filepath.Join(made(t), "pxeagent_1.2.3_amd64.deb")
	if _, err := exec.LookPath("lintian"); err != nil {
		lab.Missing(t, "lintian")
	}
	cmd := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", "--info", deb)
	if syscall.Geteuid() != 0 {
		cmd.Args = append(cmd.Args[:1], cmd.Args[2:]...)
	}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "override") {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}
