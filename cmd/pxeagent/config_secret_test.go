package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
)

const theSecret = "hunter2 with blanks "

func withFile(path string) Config {
	return Config{DHCP: DHCPConfig{PfSense: PfSenseConfig{PasswordFile: path}}}
}

func TestSecretFromEachSource(t *testing.T) {
	dir := isolate(t)
	cred := filepath.Join(dir, "cred")
	if _, err := readSecret(Config{}, firewallPassword, nil); !errors.Is(err, errNoSecret) || explain(err).Code != cli.Usage {
		t.Errorf("none: %v", err)
	}
	read := func(c Config) string {
		t.Helper()
		s, err := readSecret(c, firewallPassword, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.Reveal()
	}
	t.Setenv("CREDENTIALS_DIRECTORY", cred)
	if _, err := readSecret(Config{}, firewallPassword, nil); !errors.Is(err, errNoSecret) {
		t.Errorf("no such credential: %v", err)
	}
	write(t, "cred/pfsense-password", "from systemd\n")
	// systemd's own are group-readable on some systems, in a folder that nobody else enters.
	if err := os.Chmod("cred/pfsense-password", 0o440); err != nil {
		t.Fatal(err)
	}
	if got := read(Config{}); got != "from systemd" {
		t.Errorf("%q", got)
	}
	if got := read(withFile(filepath.Join(cred, "pfsense-password"))); got != "from systemd" {
		t.Errorf("%q", got)
	}
	write(t, "pw", theSecret+"\r\n")
	if got := read(withFile("pw")); got != theSecret {
		t.Errorf("%q", got)
	}
	t.Setenv(envPassword, "from the environment")
	if got := read(withFile("pw")); got != "from the environment" {
		t.Errorf("%q", got)
	}
	if _, err := readSecret(Config{}, firewallAPIKey, nil); !errors.Is(err, errNoSecret) {
		t.Errorf("another secret: %v", err)
	}
}

func TestSecretFileThatIsWrong(t *testing.T) {
	dir := isolate(t)
	pw := filepath.Join(dir, "pw")
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
		code cli.Code
		hint string
	}{
		{theSecret, 0o644, "dhcp.pfsense.password_file: " + pw + " can be read or written by others (mode 0644)", cli.Permission, "chmod 600 " + pw},
		{theSecret, 0o620, "dhcp.pfsense.password_file: " + pw + " can be read or written by others (mode 0620)", cli.Permission, "chmod 600 " + pw},
		{"\n", 0o600, "dhcp.pfsense.password_file: " + pw + " is empty", cli.Unexpected, ""},
		{theSecret + "\n" + theSecret, 0o600, "dhcp.pfsense.password_file: " + pw + " has more than one line; want the secret alone", cli.Unexpected, ""},
		{strings.Repeat(theSecret, 300), 0o600, "dhcp.pfsense.password_file: " + pw + " is larger than 4096 bytes, which no password is", cli.Unexpected, ""},
	} {
		write(t, pw, c.text)
		if err := os.Chmod(pw, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := readSecret(withFile(pw), firewallPassword, nil)
		f := explain(err)
		if err == nil || f.Error() != c.want || f.Code != c.code || c.hint != "" && (len(f.Hints) == 0 || f.Hints[0] != c.hint) {
			t.Errorf("got %v, %v %q\nwant %s", err, f.Code, f.Hints, c.want)
		}
		os.Chmod(pw, 0o600)
	}
	if _, err := readSecret(withFile(dir), firewallPassword, nil); err == nil || err.Error() != "dhcp.pfsense.password_file: "+dir+" is a folder; want a file that holds the secret" {
		t.Errorf("folder: %v", err)
	}
	if _, err := readSecret(withFile("nowhere"), firewallPassword, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

// A writer that waits in a pipe is a way to hand over a secret that never lies on a disk.
func TestSecretFromPipe(t *testing.T) {
	isolate(t)
	if err := syscall.Mkfifo("fifo", 0o644); err != nil {
		t.Skipf("missing: named pipes (%v)", err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile("fifo", []byte(theSecret), 0) }()
	s, err := readSecret(withFile("fifo"), firewallPassword, nil)
	if err != nil || s.Reveal() != theSecret {
		t.Errorf("%v", err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	s := Secret{theSecret}
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", s)
		fmt.Fprintf(&b, verb+"\n", struct{ S Secret }{s})
		fmt.Fprintf(&b, verb+"\n", &s)
	}
	fmt.Fprintln(&b, s, []Secret{s})
	for _, format := range []string{"text", "json"} {
		log := newLogger(&b, LogConfig{Format: format})
		log.Info("x", "secret", s, "in", struct{ S Secret }{s}, slog.Group("g", "s", s))
	}
	j, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	for _, form := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%d", []byte("hunter2"))} {
		if strings.Contains(b.String(), strings.Trim(form, "[]")) {
			t.Errorf("printed as %s:\n%s", form, b.String())
		}
	}
}

func TestSecretsInShow(t *testing.T) {
	dir := isolate(t)
	t.Setenv(envPassword, theSecret)
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write(t, "pfsense-api-key", theSecret)
	write(t, "pxeagent.yaml", "dhcp:\n  pfsense:\n    url: https://fw.lan\n")
	for _, args := range [][]string{{"config", "show"}, {"config", "show", "--json"}, {"config", "check"}, {"config", "check", "--log-level=x"}} {
		r := pxeagent(args...)
		if strings.Contains(r.stdout+r.stderr, "hunter2") {
			t.Errorf("%q shows a secret:\n%s%s", args, r.stdout, r.stderr)
		}
	}
	for _, want := range []string{"dhcp.pfsense.password", envPassword, hidden, filepath.Join(dir, "pfsense-api-key")} {
		if r := pxeagent("config", "show"); !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in:\n%s", want, r.stdout)
		}
	}
}

// No flag takes a secret: command lines can be read by everyone on the machine.
func TestNoFlagTakesASecret(t *testing.T) {
	for _, k := range keys {
		if secretWord.MatchString(k.flag) && !strings.HasSuffix(k.flag, "-file") {
			t.Errorf("--%s", k.flag)
		}
		if secretWord.MatchString(k.name) && !strings.HasSuffix(k.name, "_file") {
			t.Errorf("key %s", k.name)
		}
	}
}
