package main

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
)

// remoteCase is a command that asks a DHCP server over the network, and what comes of it.
type remoteCase struct {
	name, line string
	before     func() // what happens to the server first; nil: nothing
	code, say  string // of the end, and a part of what is printed
}

// reach are the flags for the server of that backend at u.
func reach(backend string, u *url.URL, pin [32]byte) []string {
	return []string{"--" + backend + "=" + u.String(), "--" + backend + "-tls-sha256=" + hex.EncodeToString(pin[:]),
		"--state-dir=state"}
}

// checkRemote runs each command with flags behind it. No output may have one of secrets.
func checkRemote(t *testing.T, flags, secrets []string, cases []remoteCase) {
	t.Helper()
	for _, c := range cases {
		if c.before != nil {
			c.before()
		}
		var stdout, stderr bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, backends: backend.Table()}
		code := a.run(t.Context(), slices.Concat(strings.Fields(c.line), flags))
		all := stdout.String() + stderr.String()
		if code.Name != c.code || !strings.Contains(all, c.say) {
			t.Errorf("%s: %v, want %s with %q:\n%s", c.name, code, c.code, c.say, all)
		}
		for _, secret := range secrets {
			if strings.Contains(all, secret) {
				t.Errorf("%s tells a secret:\n%s", c.name, all)
			}
		}
	}
}
