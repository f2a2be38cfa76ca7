package main

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
)

func TestShow(t *testing.T) {
	dir := isolate(t)
	write(t, "pxeagent.yaml", "interface: [eth1, eth2]\nmenu:\n  title: \"a\\tb\"\n")
	file := filepath.Join(dir, "pxeagent.yaml")
	// A control character is a mistake in the end, and must not reach the terminal as it is.
	if r := pxeagent("config", "show"); r.code != cli.Usage || !strings.Contains(r.stderr, `"a\tb" holds a control character`) {
		t.Errorf("%+v", r)
	}
	write(t, "pxeagent.yaml", "interface: [eth1, eth2]\nmenu:\n  title: Boot\n")
	t.Setenv("PXEAGENT_SERVE_HTTP", ":8080")
	r := pxeagent("config", "show", "--tftp", ":6969")
	if r.code != cli.Done || r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{
		"interface                   eth1, eth2               " + file + ":1",
		"next_server                 auto                     default",
		"dhcp.pfsense.url            -                        default",
		"serve.tftp                  :6969                    --tftp",
		"serve.http                  :8080                    PXEAGENT_SERVE_HTTP",
		"menu.title                  Boot                     " + file + ":3",
	} {
		if !slices.Contains(strings.Split(r.stdout, "\n"), want) {
			t.Errorf("no line %q in:\n%s", want, r.stdout)
		}
	}

	r = pxeagent("config", "show", "--tftp", ":6969", "--json")
	var shown struct {
		File     string
		Settings []struct {
			Key, From string
			Value     any
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &shown); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	if shown.File != file || len(shown.Settings) < 40 {
		t.Errorf("file %s, %d settings", shown.File, len(shown.Settings))
	}
	if s := shown.Settings[0]; s.Key != "interface" || !reflect.DeepEqual(s.Value, []any{"eth1", "eth2"}) || s.From != file+":1" {
		t.Errorf("%+v", s)
	}
}

func TestMistakesInJSON(t *testing.T) {
	isolate(t)
	r := pxeagent("config", "check", "--json", "--tftp=69", "--chain=x")
	var out struct {
		Error struct {
			Exit     int
			Code     string
			Mistakes []map[string]string
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	if r.code != cli.Usage || out.Error.Exit != 3 || out.Error.Code != "usage" || len(out.Error.Mistakes) != 2 || r.stderr != "" {
		t.Errorf("%+v", r)
	}
	if m := out.Error.Mistakes[1]; m["key"] != "serve.tftp" || m["text"] != `"69" has no colon; want :69` || m["from"] != "--tftp" {
		t.Errorf("%v", m)
	}
}

func TestSecretsInShow(t *testing.T) {
	dir := isolate(t)
	t.Setenv("PXEAGENT_DHCP_PFSENSE_PASSWORD", "hunter2 with blanks ")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write(t, "pfsense-api-key", "hunter2 with blanks ")
	write(t, "pxeagent.yaml", "dhcp:\n  pfsense:\n    url: https://fw.lan\n")
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"config", "check", "--log-level=x"}} {
		r := pxeagent(args...)
		if strings.Contains(r.stdout+r.stderr, "hunter2") {
			t.Errorf("%q shows a secret:\n%s%s", args, r.stdout, r.stderr)
		}
	}
	for _, want := range []string{"dhcp.pfsense.password", "PXEAGENT_DHCP_PFSENSE_PASSWORD", "(hidden)", filepath.Join(dir, "pfsense-api-key")} {
		if r := pxeagent("config", "show"); !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in:\n%s", want, r.stdout)
		}
	}
}
