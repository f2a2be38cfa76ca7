package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/web"
	"pxeagent/cmd/pxeagent/cli"
)

const aPageToken = "0123456789abcdef"

func TestPageToken(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		gate bool
		want string // in the error; "": none
		code cli.Code
	}{
		"none":       {"", 0, false, "", cli.Done},
		"a good one": {aPageToken + "\n", 0o600, true, "", cli.Done},
		"others may read it": {aPageToken, 0o644, false,
			"page.token_file: FILE can be read or written by others (mode 0644)", cli.Permission},
		"too short": {aPageToken[1:], 0o600, false, "page.token: want at least 16 characters", cli.Usage},
		"with a blank": {"0123456789 abcdef", 0o600, false,
			"page.token: want at least 16 characters of ASCII, without blanks", cli.Usage},
		"no ASCII": {"0123456789äbcdef", 0o600, false, "page.token: want", cli.Usage},
		"empty":    {"\n", 0o600, false, "page.token_file: FILE is empty", cli.Unexpected},
	} {
		t.Run(name, func(t *testing.T) {
			dir := isolate(t)
			var l loaded
			file := filepath.Join(dir, "token")
			if test.mode != 0 {
				if err := os.WriteFile(file, []byte(test.text), test.mode); err != nil {
					t.Fatal(err)
				}
				l.Config.Page.TokenFile = file
			}
			p, err := l.page()
			if (p.Gate != nil) != test.gate || (err != nil) != (test.want != "") {
				t.Fatalf("gate %v, error %v", p.Gate != nil, err)
			}
			if err == nil {
				return
			}
			if want := strings.ReplaceAll(test.want, "FILE", file); !strings.Contains(err.Error(), want) ||
				explain(err).Code != test.code {
				t.Errorf("got %q, exit %v", err, explain(err).Code)
			}
			if text := strings.TrimSpace(test.text); text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
	isolate(t)
	t.Setenv("PXEAGENT_PAGE_TOKEN", aPageToken)
	if p, err := (loaded{}).page(); err != nil || p.Gate == nil {
		t.Errorf("from the environment: %v", err)
	}
}

// What the page shows says nothing of the firewall's user, of files' places, or of secrets.
func TestPageShowsWhatEverybodyMayKnow(t *testing.T) {
	isolate(t)
	write(t, "pxeagent.yaml", `interface: admin
next_server: 192.0.2.7
state_dir: /var/lib/geheim
dhcp:
  pfsense: {url: "https://geheim.lan", user: geheim, password_file: /etc/geheim, ca_file: /etc/geheim.pem}
serve: {root: /srv/geheim, http: ":8080", networks: [192.0.2.0/24, 198.51.100.0/24]}
menu: {root_shadow_file: /etc/geheim}
page: {token_file: /etc/geheim, hosts: [geheim.example]}
`)
	l, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]web.Setting{}
	for _, s := range l.shown() {
		if strings.Contains(s.Value+s.From, "geheim") {
			t.Errorf("%+v", s)
		}
		shown[s.Key] = s
	}
	want := map[string]web.Setting{
		"interface":      {Key: "interface", Value: "admin", From: "file:1"},
		"serve.http":     {Key: "serve.http", Value: ":8080", From: "file:6"},
		"serve.networks": {Key: "serve.networks", Value: "192.0.2.0/24, 198.51.100.0/24", From: "file:6"},
		"chain":          {Key: "chain", Value: "auto", From: "default"},
	}
	for key, s := range want {
		if diff := cmp.Diff(s, shown[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}
