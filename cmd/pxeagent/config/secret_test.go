package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
)

const theSecret = "hunter2 with blanks "

func withFile(path string) Config {
	var c Config
	towerOf(&c).PasswordFile = path
	return c
}

func TestSecretFromEachSource(t *testing.T) {
	dir := isolate(t)
	cred := filepath.Join(dir, "cred")
	if _, err := ReadSecret(Config{}, towerPassword, nil); !errors.Is(err, ErrNoSecret) ||
		cli.Explain(err, nil).Code != cli.Usage {
		t.Errorf("none: %v", err)
	}
	read := func(c Config) string {
		t.Helper()
		s, err := ReadSecret(c, towerPassword, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.Reveal()
	}
	t.Setenv("CREDENTIALS_DIRECTORY", cred)
	if _, err := ReadSecret(Config{}, towerPassword, nil); !errors.Is(err, ErrNoSecret) {
		t.Errorf("no such credential: %v", err)
	}
	write(t, "cred/tower-password", "from systemd\n")
	// systemd's own are group-readable on some systems, in a folder that nobody else enters.
	if err := os.Chmod("cred/tower-password", 0o440); err != nil {
		t.Fatal(err)
	}
	if got := read(Config{}); got != "from systemd" {
		t.Errorf("%q", got)
	}
	if got := read(withFile(filepath.Join(cred, "tower-password"))); got != "from systemd" {
		t.Errorf("%q", got)
	}
	write(t, "pw", theSecret+"\r\n")
	if got := read(withFile("pw")); got != theSecret {
		t.Errorf("%q", got)
	}
	t.Setenv(towerPassword.Env, "from the environment")
	if got := read(withFile("pw")); got != "from the environment" {
		t.Errorf("%q", got)
	}
	if _, err := ReadSecret(Config{}, PageToken, nil); !errors.Is(err, ErrNoSecret) {
		t.Errorf("another secret: %v", err)
	}
}

// A key that comes with its secret has two lines, by any system's ending; it has no more.
func TestSecretOfTwoLines(t *testing.T) {
	isolate(t)
	src := towerPassword
	src.Lines = 2
	for text, want := range map[string]string{
		"key=a\nsecret=b\n": "key=a\nsecret=b", "key=a\r\nsecret=b\r\n": "key=a\nsecret=b", "a:b\n": "a:b",
	} {
		s, err := ReadSecret(withFile(Stdin), src, strings.NewReader(text))
		if err != nil || s.Reveal() != want {
			t.Errorf("%q: %q, %v", text, s.Reveal(), err)
		}
	}
	for _, text := range []string{"a\nb\nc\n", "a\rb\n", "a\n\n\n"} {
		_, err := ReadSecret(withFile(Stdin), src, strings.NewReader(text))
		if err == nil || !strings.HasSuffix(err.Error(), "standard input has more than 2 lines; want the secret alone") {
			t.Errorf("%q: %v", text, err)
		}
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
		{theSecret, 0o644, "dhcp.tower.password_file: " + pw + " can be read or written by others (mode 0644)",
			cli.Permission, "chmod 600 " + pw},
		{theSecret, 0o620, "dhcp.tower.password_file: " + pw + " can be read or written by others (mode 0620)",
			cli.Permission, "chmod 600 " + pw},
		{"\n", 0o600, "dhcp.tower.password_file: " + pw + " is empty", cli.Unexpected, ""},
		{theSecret + "\n" + theSecret, 0o600,
			"dhcp.tower.password_file: " + pw + " has more than one line; want the secret alone", cli.Unexpected, ""},
		{strings.Repeat(theSecret, 300), 0o600,
			"dhcp.tower.password_file: " + pw + " is larger than 4096 bytes, which no password is", cli.Unexpected, ""},
	} {
		write(t, pw, c.text)
		if err := os.Chmod(pw, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSecret(withFile(pw), towerPassword, nil)
		f := cli.Explain(err, nil)
		if err == nil || f.Error() != c.want || f.Code != c.code || c.hint != "" &&
			(len(f.Hints) == 0 || f.Hints[0] != c.hint) {
			t.Errorf("got %v, %v %q\nwant %s", err, f.Code, f.Hints, c.want)
		}
		os.Chmod(pw, 0o600)
	}
	if _, err := ReadSecret(withFile(dir), towerPassword, nil); err == nil ||
		err.Error() != "dhcp.tower.password_file: "+dir+" is a folder; want a file that holds the secret" {
		t.Errorf("folder: %v", err)
	}
	if _, err := ReadSecret(withFile("nowhere"), towerPassword, nil); !errors.Is(err, os.ErrNotExist) {
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
	s, err := ReadSecret(withFile("fifo"), towerPassword, nil)
	if err != nil || s.Reveal() != theSecret {
		t.Errorf("%v", err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// No flag takes a secret: command lines can be read by everyone on the machine.
func TestNoFlagTakesASecret(t *testing.T) {
	for _, k := range schema.keys {
		if secretWord.MatchString(k.Flag) && !strings.HasSuffix(k.Flag, "-file") {
			t.Errorf("--%s", k.Flag)
		}
		if secretWord.MatchString(k.Name) && !strings.HasSuffix(k.Name, "_file") {
			t.Errorf("key %s", k.Name)
		}
	}
}
