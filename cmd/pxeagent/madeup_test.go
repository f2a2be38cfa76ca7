package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
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

type madeUpSettings struct{ Host, TokenFile string }

func madeUpOf(c *config.Config) *madeUpSettings { return config.Own[madeUpSettings](c, "madeup") }

var errTired = cli.Code{Name: "tired", Exit: cli.ExitUnavailable, Text: "the made-up server is tired"}

// madeUpRow is all that a new DHCP server needs besides its package: its row of the table.
func madeUpRow(server *madeUp) backend.Backend {
	token := config.SecretSource{
		Key: "dhcp.madeup.token", Env: "PXEAGENT_DHCP_MADEUP_TOKEN", FileKey: "dhcp.madeup.token_file",
		File: func(c config.Config) string { return madeUpOf(&c).TokenFile }, Credential: "madeup-token",
	}
	return backend.Backend{
		Backend: config.Backend{
			Name: "madeup", Networks: "anything", SendsURL: true, Secrets: []config.SecretSource{token},
			Auto:     func(c config.Config) bool { return madeUpOf(&c).Host != "" },
			AutoWhen: "its host is set",
			Keys: []config.Key{
				{Name: "dhcp.madeup.host", Flag: "madeup-host", Arg: "NAME", Usage: "where it stands", Public: true,
					Into: config.Text(func(c *config.Config) *string { return &madeUpOf(c).Host })},
				{Name: "dhcp.madeup.token_file", Flag: "madeup-token-file", Arg: "FILE", Usage: "its token", Path: true,
					Into: config.Text(func(c *config.Config) *string { return &madeUpOf(c).TokenFile })},
			},
			Check: func(c config.Config, wrong func(key, format string, args ...any)) {
				if madeUpOf(&c).Host == "nowhere" {
					wrong("dhcp.madeup.host", "%q cannot be reached", "nowhere")
				}
			},
		},
		Open:  func(*backend.Session, backend.Network) (dhcp.Server, error) { return server, nil },
		Key:   func(c config.Config, n backend.Network) string { return madeUpOf(&c).Host + "-" + n.Name },
		Codes: []cli.Code{errTired},
		Hints: []cli.Rule{cli.On(errMadeUp, errTired, "let it sleep")},
		TellsIPXE: func(c config.Config) (bool, string) {
			return true, "the made-up server at " + madeUpOf(&c).Host + " knows iPXE by its looks"
		},
		TellsURL: func(config.Config, bool) string { return "the made-up server likes URLs" },
	}
}

// madeUpSite is a site whose DHCP server is the made-up one.
type madeUpSite struct {
	server *madeUp
	app    *app
	out    *bytes.Buffer // of both kinds
}

func newMadeUpSite(t *testing.T) madeUpSite {
	isolate(t)
	write(t, "pxeagent.yaml",
		"interface: net1\nnext_server: 192.0.2.7\nstate_dir: state\nserve: {root: .}\ndhcp:\n  madeup: {host: cellar}\n")
	s := madeUpSite{server: &madeUp{}, out: &bytes.Buffer{}}
	s.app = &app{
		stdin: strings.NewReader(""), stdout: s.out, stderr: s.out, document: s.out,
		backends: append(backend.Table(), madeUpRow(s.server)),
	}
	return s
}

// do runs a command line, which ends with that code, and says all these texts.
func (s madeUpSite) do(t *testing.T, args string, want cli.Code, texts ...string) {
	t.Helper()
	s.out.Reset()
	code := s.app.run(t.Context(), strings.Fields(args))
	if code.Name != want.Name {
		t.Errorf("%s: %s, want %s:\n%s", args, code, want, s.out)
	}
	for _, text := range texts {
		if !strings.Contains(s.out.String(), text) {
			t.Errorf("%s: want %q in\n%s", args, text, s.out)
		}
	}
}

// What commands do with a DHCP server and say of it comes from its row of the table alone.
func TestMadeUpBackend(t *testing.T) {
	s := newMadeUpSite(t)
	s.do(t, "status", cli.Differs, "made-up server")
	s.do(t, "configure --not-serving-yet", cli.NotProven, "made-up server")
	if s.server.boot.NextServer.String() != "192.0.2.7" || s.server.boot.URL[firmware.EFI64] == "" {
		t.Errorf("configured: %+v", s.server.boot)
	}
	if _, err := os.Stat("state/journal/madeup-cellar-net1.json"); err != nil {
		t.Errorf("the journal: %v", err)
	}
	s.do(t, "status", cli.Done, "in sync")
	s.do(t, "history", cli.Done, "revert goes to")
	s.do(t, "revert", cli.NotProven, "made-up server")
	if s.server.boot != (dhcp.Boot{}) {
		t.Errorf("reverted: %+v", s.server.boot)
	}
	s.do(t, "chain explain", cli.Done, "the made-up server at cellar knows iPXE by its looks",
		"the made-up server likes URLs")
	s.server.tired = true
	s.do(t, "status", errTired, "hint: let it sleep")
	s.do(t, "exit-codes --markdown", cli.Done, "| 14 | `tired` | the made-up server is tired |")
}

// So do its keys: in the file, as flags and variables, among the mistakes, in help and in the reference.
func TestKeysOfMadeUpBackend(t *testing.T) {
	s := newMadeUpSite(t)
	s.do(t, "config check", cli.Done, "ok: ")
	s.do(t, "config show --madeup-host=attic", cli.Done, "dhcp.madeup.host", "attic", "--madeup-host")
	t.Setenv("PXEAGENT_DHCP_MADEUP_TOKEN", "hunter2")
	s.do(t, "config show", cli.Done, "dhcp.madeup.token ", "(hidden)", "PXEAGENT_DHCP_MADEUP_TOKEN")
	if strings.Contains(s.out.String(), "hunter2") {
		t.Error("the token is shown")
	}
	s.do(t, "config check --madeup-host=nowhere", cli.Usage,
		`dhcp.madeup.host: "nowhere" cannot be reached (--madeup-host)`)
	s.do(t, "config check --backend=madeupp", cli.Usage, "did you mean madeup?")
	s.do(t, "configure --help", cli.Done, "--madeup-host NAME", "where it stands")
	write(t, "pxeagent.yaml", "dhcp:\n  madeup: {hots: cellar, token: hunter2}\n")
	s.do(t, "config check", cli.Usage, "did you mean dhcp.madeup.host?", "dhcp.madeup.token_file")
	l, err := s.app.read(nil)
	if err == nil || l.Config.DHCP.Backend != config.NoBackend {
		t.Errorf("%s, %v", l.Config.DHCP.Backend, err)
	}
	reference := s.app.Schema().Markdown()
	for _, want := range []string{
		"| `dhcp.madeup.host` | `--madeup-host` |  | where it stands |", "anything (madeup)",
		"auto: madeup if its host is set, else ", "(dnsmasq, opnsense, openwrt, pihole, madeup)",
	} {
		if !strings.Contains(reference, want) {
			t.Errorf("the table of keys lacks %q:\n%s", want, reference)
		}
	}
	var shown []string
	for _, setting := range l.shown() {
		shown = append(shown, setting.Key)
	}
	if !slices.Contains(shown, "dhcp.madeup.host") || slices.Contains(shown, "dhcp.madeup.token_file") {
		t.Errorf("the page shows %q", shown)
	}
}
