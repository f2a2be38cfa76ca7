package remote

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strings"

	"pxeagent/agent/dhcp"
)

// Login is a user with a password, or a key or token that needs no user. It never prints the secret.
type Login struct {
	User   string // "" with a key
	Secret dhcp.Secret
	Name   string // what a secret without a user is called; "": the API key
}

// String names it without the secret.
func (l Login) String() string {
	if l.User == "" {
		return cmp.Or(l.Name, "the API key")
	}
	return fmt.Sprintf("user %q", l.User)
}

// TraceArg is how many bytes of an argument PHP prints in a stack trace.
const TraceArg = 15

// traces are the forms in which the secret could appear in a text.
func (l Login) traces() []string {
	s := l.Secret.Reveal()
	if s == "" {
		return nil
	}
	all := []string{s, base64.StdEncoding.EncodeToString([]byte(l.User + ":" + s))}
	if len(s) > TraceArg {
		all = append(all, s[:TraceArg])
	}
	return all
}

// Hide replaces every occurrence of the secret in a text.
func (l Login) Hide(text string) string {
	for _, s := range l.traces() {
		text = strings.ReplaceAll(text, s, dhcp.Hidden)
	}
	return text
}

// maxQuoted is how much of a server's answer is shown, in bytes.
const maxQuoted = 200

// Quoted is a server's answer for one line of text: shortened, quoted, and without the secret, which a PHP stack
// trace may contain (in full, or its first bytes).
func (l Login) Quoted(said string) string {
	// Before and after: a password may contain two spaces in a row, and an answer may wrap it over two lines.
	said = l.Hide(strings.Join(strings.Fields(l.Hide(said)), " "))
	if len(said) > maxQuoted {
		said = strings.ToValidUTF8(said[:maxQuoted], "") + "…"
	}
	return fmt.Sprintf("%q", said)
}
