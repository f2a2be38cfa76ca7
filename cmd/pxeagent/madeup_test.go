package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

var errMadeUp = errors.New("the made-up server is tired")

// madeUp is a DHCP server that holds its settings in memory.
type madeUp struct {
	boot  dhcp.Boot
	tired bool
}

func state(b dhcp.Boot) dhcp.State { return dhcp.State{Boot: b, Raw: fmt.Append(nil, b)} }

func (m *madeUp) String() string { return "made-up server" }

func (m *madeUp) Plan(_ context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	if m.tired {
		return dhcp.Plan{}, errMadeUp
	}
	return dhcp.Plan{Before: state(m.boot), After: state(want)}, nil
}

func (m *madeUp) Apply(_ context.Context, p dhcp.Plan) error {
	m.boot = p.After.Boot
	return nil
}

func (m *madeUp) Revert(_ context.Context, p dhcp.Plan) error {
	m.boot = p.Before.Boot
	return nil
}

// What commands say and do of a DHCP server comes from its row of the table alone.
func TestMadeUpBackend(t *testing.T) {
	isolate(t)
	server := &madeUp{}
	table := []backend.Backend{{
		Name:  config.Dnsmasq, // a name that the configuration knows
		Open:  func(*backend.Session, backend.Network) (dhcp.Server, error) { return server, nil },
		Key:   func(_ config.Config, n backend.Network) string { return "made-up-" + n.Name },
		Codes: []cli.Code{{Name: "tired", Exit: cli.ExitUnavailable, Text: "it is tired"}},
		Hints: []cli.Rule{cli.On(errMadeUp, cli.Code{Name: "tired", Exit: cli.ExitUnavailable}, "let it sleep")},
		TellsIPXE: func(config.Config) (bool, string) {
			return true, "the made-up server knows iPXE by its looks"
		},
		TellsURL: func(config.Config, bool) string { return "the made-up server likes URLs" },
	}}
	do := func(args string, want cli.Code, text string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, document: &stdout, backends: table}
		code := a.run(t.Context(), append(strings.Fields(args), "--interface=net1", "--next-server=192.0.2.7", "--state-dir=state"))
		if code.Name != want.Name || !strings.Contains(stdout.String()+stderr.String(), text) {
			t.Errorf("%s: %s, want %s with %q:\n%s%s", args, code, want, text, stdout.String(), stderr.String())
		}
	}
	do("config check", cli.Done, "ok: ")
	do("status", cli.Differs, "made-up server")
	do("configure --not-serving-yet", cli.NotProven, "made-up server")
	if server.boot.NextServer.String() != "192.0.2.7" {
		t.Errorf("configured: %+v", server.boot)
	}
	do("status", cli.Done, "in sync")
	do("history", cli.Done, "revert goes to")
	do("revert", cli.NotProven, "made-up server")
	if server.boot != (dhcp.Boot{}) {
		t.Errorf("reverted: %+v", server.boot)
	}
	do("chain explain --root=.", cli.Done, "the made-up server knows iPXE by its looks")
	do("chain explain --root=.", cli.Done, "the made-up server likes URLs")
	server.tired = true
	do("status", cli.Code{Name: "tired"}, "hint: let it sleep")
	if table := cli.ExitMarkdown((&app{backends: table}).codes()); !strings.Contains(table, "| 14 | `tired` | it is tired |") {
		t.Errorf("the table of codes:\n%s", table)
	}
}
