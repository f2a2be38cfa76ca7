package main

import (
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// wasExit is every code as it was before causes and exit codes were told apart: the number that it had then and
// the number that it has now. Names are what they were.
var wasExit = []struct {
	name     string
	old, now int
}{
	{"done", 0, 0},
	{"unexpected", 1, 1},
	{"differs", 2, 2},
	{"usage", 3, 3},
	{"refused", 4, 4},
	{"not-serving", 5, 5},
	{"changed", 6, 6},
	{"put-back", 7, 7},
	{"revert-failed", 8, 8},
	{"not-proven", 9, 9},
	{"foreign-server", 10, 10},
	{"locked", 11, 11},
	{"permission", 12, 12},
	{"no-interface", 13, 13},
	{"port-taken", 14, 14},
	{"no-program", 15, 14},
	{"not-writable", 16, 14},
	{"restart-failed", 17, 14},
	{"no-offer", 18, 9},
	{"wrong", 19, 2},
	{"no-root", 20, 13},
	{"no-journal", 21, 4},
	{"login-refused", 22, 12},
	{"no-privilege", 23, 12},
	{"no-rest-package", 24, 14},
	{"read-only", 25, 12},
	{"unavailable", 26, 14},
	{"certificate", 27, 4},
	{"timeout", 28, 14},
	{"not-pfsense", 29, 13},
	{"unreachable", 30, 14},
	{"unapplied", 31, 4},
	{"no-dhcp", 32, 4},
	{"dhcp-off", 33, 4},
	{"dhcp-relay", 34, 4},
	{"ha-secondary", 35, 4},
	{"firewall-error", 36, 14},
	{"download-failed", 37, 14},
	{"wrong-checksum", 38, 4},
	{"bad-image", 39, 4},
	{"no-version", 40, 13},
	{"no-image", 41, 13},
	{"damaged-image", 42, 2},
	{"not-running", 43, 14},
	{"no-boot", 44, 13},
	{"already-running", 45, 11},
	{"menu", 46, 2},
	{"interrupted", 130, 130},
}

// addedExit are the codes that came later.
var addedExit = map[string]int{"not-kept": 14, "secure-boot": 4, "certificate-changed": 4, "settings-rejected": 4,
	"other-product": 13, "server-error": 14, "other-dhcp-server": 4, "no-such-api": 14}

func TestExitCodesAreKept(t *testing.T) {
	now := map[string]cli.Code{}
	for _, c := range (&app{backends: backend.Table()}).codes() {
		if _, twice := now[c.Name]; twice || c.Name == "" || c.Text == "" || strings.HasSuffix(c.Text, ".") {
			t.Errorf("%+v", c)
		}
		now[c.Name] = c
	}
	for _, was := range wasExit {
		if c, ok := now[was.name]; !ok || c.Exit != was.now {
			t.Errorf("%s (once %d): exit %d, want %d", was.name, was.old, c.Exit, was.now)
		}
		if was.old <= 13 && was.now != was.old {
			t.Errorf("%s: %d was given another number", was.name, was.old)
		}
		delete(now, was.name)
	}
	for name, exit := range addedExit {
		if now[name].Exit != exit {
			t.Errorf("%s: exit %d, want %d", name, now[name].Exit, exit)
		}
		delete(now, name)
	}
	for name, c := range now {
		t.Errorf("%s (%d) is in neither table", name, c.Exit)
	}
}
