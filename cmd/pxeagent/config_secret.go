package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"pxeagent/cmd/pxeagent/cli"
)

// hidden stands wherever a secret would be shown.
const hidden = "(hidden)"

// Secret is a password or key that prints as "(hidden)" in every way that fmt, log/slog and
// encoding/json know.
type Secret struct{ text string }

// Reveal is the secret itself, to be handed to what needs it and to nothing that prints.
func (s Secret) Reveal() string { return s.text }

func (s Secret) String() string               { return hidden }
func (s Secret) GoString() string             { return hidden }
func (s Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, hidden) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }

// secretSource is where one secret may come from: the variable, else the file, else the
// credential that systemd hands over. No flag carries one: everyone on the machine can read those.
type secretSource struct {
	key        string // what it would be called if it were a key
	env        string
	fileKey    string
	file       func(Config) string
	credential string // name below $CREDENTIALS_DIRECTORY
}

var (
	firewallPassword = secretSource{
		key: "dhcp.pfsense.password", env: envPassword,
		fileKey: "dhcp.pfsense.password_file", file: func(c Config) string { return c.DHCP.PfSense.PasswordFile },
		credential: "pfsense-password",
	}
	firewallAPIKey = secretSource{
		key: "dhcp.pfsense.api_key", env: envAPIKey,
		fileKey: "dhcp.pfsense.api_key_file", file: func(c Config) string { return c.DHCP.PfSense.APIKeyFile },
		credential: "pfsense-api-key",
	}
	pageToken = secretSource{
		key: "page.token", env: envPageToken,
		fileKey: "page.token_file", file: func(c Config) string { return c.Page.TokenFile },
		credential: "page-token",
	}
	webhookSecret = secretSource{
		key: "webhook.secret", env: envWebhook,
		fileKey: "webhook.secret_file", file: func(c Config) string { return c.Webhook.SecretFile },
		credential: "webhook-secret",
	}
	secretSources = []secretSource{firewallPassword, firewallAPIKey, pageToken, rootShadow, webhookSecret}
)

// errNoSecret is returned by readSecret where there is none.
var errNoSecret = errors.New("not set")

// stdinName stands for standard input where a secret's file is named.
const stdinName = "-"

// readSecret finds a secret; stdin is read where its file is "-". One newline at its end is not part of it. errNoSecret: there is none.
func readSecret(c Config, src secretSource, stdin io.Reader) (Secret, error) {
	if s := os.Getenv(src.env); s != "" {
		return Secret{s}, nil
	}
	key, path := src.fileKey, src.file(c)
	private := false
	if cred := credentialPath(src.credential); path == "" && cred != "" {
		if _, err := os.Stat(cred); err == nil {
			key, path = "credential "+src.credential, cred
		}
	}
	if path == "" {
		return Secret{}, cli.Failure{
			Code:  cli.Usage,
			Err:   fmt.Errorf("%s: %w", src.key, errNoSecret),
			Hints: []string{fmt.Sprintf("name a file that holds it in %s, or set %s, or give the unit LoadCredential=%s:FILE", src.fileKey, src.env, src.credential)},
		}
	}
	if path == stdinName {
		text, err := secretText(stdin, "standard input")
		if err != nil {
			return Secret{}, fmt.Errorf("%s: %w", key, err)
		}
		return Secret{text}, nil
	}
	// systemd keeps its credentials where nobody else gets to, whatever their mode.
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && inside(dir, path) {
		private = true
	}
	text, err := readSecretFile(path, private)
	if err != nil {
		var f cli.Failure
		if errors.As(err, &f) {
			f.Err = fmt.Errorf("%s: %w", key, f.Err)
			return Secret{}, f
		}
		return Secret{}, fmt.Errorf("%s: %w", key, err)
	}
	return Secret{text}, nil
}

func credentialPath(name string) string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		return filepath.Join(dir, name)
	}
	return ""
}

// maxSecret is more than any password or key has.
const maxSecret = 4096

func readSecretFile(path string, private bool) (string, error) {
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
	return secretText(f, path)
}

// secretText is the one line that in, called name, holds.
func secretText(in io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", name)
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s is larger than %d bytes, which no password is", name, maxSecret)
	case strings.ContainsAny(text, "\r\n\x00"):
		return "", fmt.Errorf("%s has more than one line; want the secret alone", name)
	}
	return text, nil
}
