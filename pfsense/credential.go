package pfsense

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"github.com/go-resty/resty/v2"

	"pxeagent/agent/dhcp"
)

// hidden is shown in place of a secret.
const hidden = dhcp.Hidden

// credential is a user with a password, or an API key of the REST package.
type credential struct {
	user   string // "" with an API key
	secret dhcp.Secret
}

// String names it without the secret.
func (c credential) String() string {
	if c.user == "" {
		return "the API key"
	}
	return fmt.Sprintf("user %q", c.user)
}

// sign adds it to one request, which goes to one host: redirects are not followed.
func (c credential) sign(r *resty.Request) {
	if c.user == "" {
		r.SetHeader("X-API-Key", c.secret.Reveal())
		return
	}
	r.SetBasicAuth(c.user, c.secret.Reveal())
}

// traceArg is how much of an argument PHP prints in a stack trace.
const traceArg = 15

// traces are the forms in which the secret could appear in a text.
func (c credential) traces() []string {
	s := c.secret.Reveal()
	if s == "" {
		return nil
	}
	all := []string{s, base64.StdEncoding.EncodeToString([]byte(c.user + ":" + s))}
	if len(s) > traceArg {
		all = append(all, s[:traceArg])
	}
	return all
}

// hide replaces every occurrence of the secret in a text.
func (c credential) hide(text string) string {
	for _, s := range c.traces() {
		text = strings.ReplaceAll(text, s, hidden)
	}
	return text
}

// logins are the configured credentials. They are read once, when first needed: a password may come from standard
// input.
type logins struct {
	user     string
	password func() (string, error)
	key      func() (string, error)
}

func newLogins(c Config) logins {
	once := func(read func() (string, error)) func() (string, error) {
		if read == nil {
			return func() (string, error) { return "", nil }
		}
		return sync.OnceValues(read)
	}
	return logins{user: c.User, password: once(c.Password), key: once(c.APIKey)}
}

// forREST is the API key if one is configured, else the user.
func (l logins) forREST() (credential, error) {
	key, err := l.key()
	if err != nil {
		return credential{}, err
	}
	if key != "" {
		return credential{secret: dhcp.NewSecret(key)}, nil
	}
	return l.forUser()
}

// forUser is the user with the password, the only kind that XML-RPC accepts.
func (l logins) forUser() (credential, error) {
	if l.user == "" {
		return credential{}, fmt.Errorf("%w: no user is configured", ErrNoCredential)
	}
	password, err := l.password()
	if err != nil {
		return credential{}, err
	}
	if password == "" {
		return credential{}, fmt.Errorf("%w: no password for user %q", ErrNoCredential, l.user)
	}
	return credential{user: l.user, secret: dhcp.NewSecret(password)}, nil
}
