package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/config"
	"pxeagent/deploy/lab"
)

// The unit has the rights that serving and probing need, and no other.
func TestSystemdUnit(t *testing.T) {
	unit := readUnit(t, "../../deploy/systemd/pxeagent.service")
	for key, want := range map[string]string{
		"Type":                    "notify",
		"ExecReload":              "kill -HUP $MAINPID",
		"CapabilityBoundingSet":   "CAP_NET_BIND_SERVICE CAP_NET_RAW",
		"AmbientCapabilities":     "CAP_NET_BIND_SERVICE CAP_NET_RAW",
		"NoNewPrivileges":         "yes",
		"ProtectSystem":           "strict",
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_PACKET AF_NETLINK",
		"User":                    "pxeagent",
		"WatchdogSec":             "60s",
	} {
		if got := unit[key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	want := []string{config.PageToken.Credential, config.WebhookSecret.Credential, config.RootShadow.Credential}
	if got := unit["LoadCredential"]; !slices.Equal(got, want) {
		t.Errorf("LoadCredential=%q, want %q", got, want)
	}
	// What the daemon keeps lies where the unit lets it write, by the code's defaults.
	defaults, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := defaults.Config
	dirs := strings.Fields(strings.Join(unit["StateDirectory"], " "))
	for _, want := range []string{c.Serve.Root, filepath.Join(c.Serve.Root, "tftp"), filepath.Join(c.Serve.Root, "http"),
		c.StateDir} {
		if !slices.Contains(dirs, strings.TrimPrefix(want, "/var/lib/")) {
			t.Errorf("StateDirectory=%q has no %s", dirs, want)
		}
	}
	socket := readUnit(t, "../../deploy/systemd/pxeagent.socket")
	for key, port := range map[string]uint16{"ListenDatagram": c.Serve.TFTP.Port(), "ListenStream": c.Serve.HTTP.Port()} {
		if got, want := socket[key], fmt.Sprint("0.0.0.0:", port); !slices.Equal(got, []string{want}) {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	users, err := os.ReadFile("../../deploy/systemd/pxeagent.sysusers.conf")
	if err != nil || !regexp.MustCompile(`(?m)^u `+unit["User"][0]+` `).Match(users) {
		t.Errorf("the unit's user is not made: %v\n%s", err, users)
	}
}

func readUnit(t *testing.T, path string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			unit[name] = append(unit[name], value)
		}
	}
	return unit
}

// systemd itself has nothing to say against the unit, and little against its rights.
func TestSystemdTakesTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		lab.Missing(t, "systemd-analyze")
	}
	b, err := os.ReadFile("../../deploy/systemd/pxeagent.service")
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Only what is installed passes.
	text := strings.Replace(string(b), "ExecStart=/usr/local/bin/pxeagent ", "ExecStart="+exe+" ", 1)
	path := filepath.Join(t.TempDir(), "pxeagent.service")
	socket := filepath.Join(filepath.Dir(path), "pxeagent.socket")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile("../../deploy/systemd/pxeagent.socket"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path, socket).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "pxeagent.s") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// 2.0 of 10, where a unit without any such lines has 9.6.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=20",
		path).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}

// systemd hears each time that the daemon responded, and nothing more once that hangs.
func TestWatchdog(t *testing.T) {
	systemd := systemdSocket(t)
	ctx, cancel := context.WithCancel(context.Background())
	hang, responding := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watchdog(ctx, time.Millisecond, func() {
			select {
			case responding <- struct{}{}:
				<-hang
			case <-ctx.Done(): // a tick may come before it is seen
			}
		})
	}()
	for range 3 {
		<-responding
		hang <- struct{}{}
		systemd.heard(t, "WATCHDOG=1")
	}
	<-responding
	systemd.silent(t)
	cancel()
	close(hang)
	<-ended
}
