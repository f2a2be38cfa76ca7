package backend

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq"
)

// loadArgs loads what a command with the flags of all rows would, from a file of that text.
func loadArgs(t *testing.T, text string, args ...string) (config.Loaded, error) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "PXEAGENT_") && name != "PXEAGENT_REQUIRE_E2E" {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	path := filepath.Join(t.TempDir(), "pxeagent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(config.EnvConfig, path)
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	schema := Schema(Table())
	schema.AddFlags(flags, "interface", "dhcp.backend")
	for _, b := range Table() {
		config.AddFlags(flags, b.Keys)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return schema.Load(flags)
}

func TestKeysOfDnsmasq(t *testing.T) {
	l, err := loadArgs(t, "interface: eth1\ndhcp:\n  dnsmasq: {mode: proxy, restart: [service, dnsmasq, restart]}\n",
		"--dnsmasq-conf-dir=/d")
	if err != nil {
		t.Fatal(err)
	}
	want := dnsmasqSettings{ConfDir: "/d", Mode: dnsmasq.ModeProxy, Restart: []string{"service", "dnsmasq", "restart"}}
	if diff := cmp.Diff(want, *dnsmasqOf(&l.Config)); diff != "" || l.Config.DHCP.Backend != "dnsmasq" {
		t.Errorf("%s (-want +got):\n%s", l.Config.DHCP.Backend, diff)
	}
}

func TestKeysOfPfSense(t *testing.T) {
	l, err := loadArgs(t, "interface: admin\ndhcp:\n  pfsense: {url: 'https://FW.lan:8443/', user: boot, "+
		"password_file: /p}\n",
		"--transport=rest", "--api-key-file=/k", "--tls-sha256="+strings.Repeat("AB:", 31)+"ab", "--ca-file=/c")
	if err != nil {
		t.Fatal(err)
	}
	want := pfSenseSettings{
		Config: remote.Config{URL: &url.URL{Scheme: "https", Host: "fw.lan:8443"},
			TLSSHA256: (*[32]byte)(bytes.Repeat([]byte{0xab}, 32)), CAFile: "/c"},
		Transport: "rest", User: "boot", PasswordFile: "/p", APIKeyFile: "/k",
	}
	if diff := cmp.Diff(want, *pfSenseOf(&l.Config)); diff != "" || l.Config.DHCP.Backend != "pfsense" {
		t.Errorf("%s (-want +got):\n%s", l.Config.DHCP.Backend, diff)
	}
}

// auto is pfSense where its URL is known, else Dnsmasq where a network is named, else none.
func TestBackendThatAutoMeans(t *testing.T) {
	for args, want := range map[string]string{
		"":                                         "none",
		"--interface=eth1":                         "dnsmasq",
		"--interface=admin --pfsense=https://fw":   "pfsense",
		"--backend=dnsmasq --pfsense=https://fw":   "dnsmasq",
		"--backend=none --interface=eth1":          "none",
		"--pfsense=https://fw --transport=rest":    "pfsense",
		"--backend=pfsense --pfsense=https://fw:1": "pfsense",
	} {
		l, err := loadArgs(t, "", strings.Fields(args)...)
		if err != nil || l.Config.DHCP.Backend != want {
			t.Errorf("%s: %s, want %s (%v)", args, l.Config.DHCP.Backend, want, err)
		}
	}
}

func TestMistakesInKeys(t *testing.T) {
	const xmlrpcNeedsUser = "dhcp.pfsense.user: is not set; dhcp.pfsense.transport xmlrpc needs it"
	for _, c := range []struct {
		name, file, args string
		want             []string
	}{
		{"firewall that is not named", "dhcp:\n  backend: pfsense\n  pfsense:\n    transport: xmlrpc\n", "", []string{
			"dhcp.pfsense.url: is not set; dhcp.backend pfsense needs it, such as https://fw.lan", xmlrpcNeedsUser,
		}},
		{"XML-RPC without a user", "dhcp: {pfsense: {url: 'https://fw.lan'}}\n", "--transport=xmlrpc",
			[]string{xmlrpcNeedsUser}},
		{"two secrets from standard input", "", "--password-file=- --api-key-file=-", []string{
			"dhcp.pfsense.api_key_file: is standard input, and dhcp.pfsense.password_file as well; want one of them " +
				"(--api-key-file)",
		}},
		{"mode", "", "--dnsmasq-mode=relay",
			[]string{`dhcp.dnsmasq.mode: unknown value "relay": use server or proxy (--dnsmasq-mode)`}},
		{"fingerprint that is not hex", "", "--tls-sha256=abcx", []string{
			`dhcp.pfsense.tls_sha256: invalid SHA-256 "abcx": want 64 hex digits (--tls-sha256)`,
		}},
		{"short fingerprint", "", "--tls-sha256=ab:cd", []string{
			`dhcp.pfsense.tls_sha256: invalid SHA-256 "ab:cd": it has 2 bytes, want 32 (--tls-sha256)`,
		}},
	} {
		_, err := loadArgs(t, c.file, strings.Fields(c.args)...)
		var got []string
		var ms config.Mistakes
		if errors.As(err, &ms) {
			for _, m := range ms {
				got = append(got, m.String())
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestFirewallURL(t *testing.T) {
	for text, want := range map[string]string{
		"fw.lan":        `"fw.lan" has no scheme; want https://fw.lan`,
		"http://fw.lan": `"http://fw.lan" is not https, and would send credentials in the clear; want https://fw.lan`,
		"https://me:hunter2@fw.lan": "holds a user or a password; want https://HOST, with dhcp.pfsense.user and " +
			"dhcp.pfsense.password_file",
		"https://":             `invalid URL "https://": want one such as https://fw.lan`,
		"https://fw lan/":      `invalid URL "https://fw lan/": want one such as https://fw.lan`,
		"https://fw.lan/api?x": `"https://fw.lan/api?x" has more than a host and a port; want https://fw.lan`,
		"https://fw.lan:99999": `"https://fw.lan:99999" has port 99999; want a number from 1 to 65535`,
	} {
		if _, err := pfSenseAppliance.parseURL(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if u, err := pfSenseAppliance.parseURL("https://FW.lan:443/"); err != nil || u.String() != "https://fw.lan" {
		t.Errorf("%v, %v", u, err)
	}
	// Without TLS only where it does not leave this machine.
	for text, want := range map[string]string{
		"http://localhost:80/":     "http://localhost",
		"http://127.0.0.1:443":     "http://127.0.0.1:443",
		"http://router":            "",
		"https://me:secret@router": "",
		"http://localhost/ubus":    "",
	} {
		u, err := openWrtAppliance.parseURL(text)
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("%s: %v, %v", text, u, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
}
