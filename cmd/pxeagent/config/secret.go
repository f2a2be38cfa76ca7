package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

// hidden stands wherever a secret would be shown.
const hidden = dhcp.Hidden

// Secret is a password or key that never prints itself.
type Secret = dhcp.Secret

// SecretSource is where one secret may come from: the variable, else the file, else the
// credential that systemd hands over. No flag carries one: everyone on the machine can read those.
type SecretSource struct {
	Key        string // what it would be called if it were a key
	Env        string
	FileKey    string
	File       func(Config) string
	Credential string // name below $CREDENTIALS_DIRECTORY
	Lines      int    // how many it may have; 0: one
}

var (
	PageToken = SecretSource{
		Key: "page.token", Env: envPageToken,
		FileKey: "page.token_file", File: func(c Config) string { return c.Page.TokenFile },
		Credential: "page-token",
	}
	WebhookSecret = SecretSource{
		Key: "webhook.secret", Env: envWebhook,
		FileKey: "webhook.secret_file", File: func(c Config) string { return c.Webhook.SecretFile },
		Credential: "webhook-secret",
	}
)

// ErrNoSecret is returned by ReadSecret where there is none.
var ErrNoSecret = errors.New("not set")

// Stdin stands for standard input where a secret's file is named.
const Stdin = "-"

// ReadSecret finds a secret; stdin is read where its file is "-". One newline at its end is not part of it.
// ErrNoSecret: there is none.
func ReadSecret(c Config, src SecretSource, stdin io.Reader) (Secret, error) {
	if s := os.Getenv(src.Env); s != "" {
		return dhcp.NewSecret(s), nil
	}
	key, path := src.FileKey, src.File(c)
	private := false
	if cred := credentialPath(src.Credential); path == "" && cred != "" {
		if _, err := os.Stat(cred); err == nil {
			key, path = "credential "+src.Credential, cred
		}
	}
	if path == "" {
		return Secret{}, cli.Failure{
			Code: cli.Usage,
			Err:  fmt.Errorf("%s: %w", src.Key, ErrNoSecret),
			Hints: []string{fmt.Sprintf("name a file that holds it in %s, or set %s, or give the unit LoadCredential=%s:FILE",
				src.FileKey, src.Env, src.Credential)},
		}
	}
	if path == Stdin {
		text, err := secretText(stdin, "standard input", src.Lines)
		if err != nil {
			return Secret{}, fmt.Errorf("%s: %w", key, err)
		}
		return dhcp.NewSecret(text), nil
	}
	// systemd keeps its credentials where nobody else gets to, whatever their mode.
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && inside(dir, path) {
		private = true
	}
	text, err := ReadSecretFile(path, private, src.Lines)
	if err != nil {
		var f cli.Failure
		if errors.As(err, &f) {
			f.Err = fmt.Errorf("%s: %w", key, f.Err)
			return Secret{}, f
		}
		return Secret{}, fmt.Errorf("%s: %w", key, err)
	}
	return dhcp.NewSecret(text), nil
}

func credentialPath(name string) string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		return filepath.Join(dir, name)
	}
	return ""
}

// maxSecret is more than any password or key has.
const maxSecret = 4096

// ReadSecretFile is the text of a file that nobody else may read, of that many lines at most; 0: one. private: it lies
// where nobody else gets to, and its mode does not count.
func ReadSecretFile(path string, private bool, lines int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a folder; want a file that holds the secret", path)
	}
	if mode := info.Mode(); !private && mode.Type() != fs.ModeNamedPipe && mode.Perm()&0o077 != 0 {
		return "", cli.Failure{
			Code:  cli.Permission,
			Err:   fmt.Errorf("%s can be read or written by others (mode %04o)", path, mode.Perm()),
			Hints: []string{"chmod 600 " + path, "and change the secret if others may have read it"},
		}
	}
	return secretText(f, path, lines)
}

// secretText is what in, called name, holds: that many lines at most.
func secretText(in io.Reader, name string, lines int) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	most := "one line"
	if lines > 1 {
		most = cli.Count(lines, "line")
	}
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", name)
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s is larger than %d bytes, which no password is", name, maxSecret)
	case strings.Count(text, "\n") >= max(lines, 1), strings.ContainsAny(text, "\r\x00"):
		return "", fmt.Errorf("%s has more than %s; want the secret alone", name, most)
	}
	return text, nil
}
