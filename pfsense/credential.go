package pfsense

import (
	"fmt"
	"sync"

	"github.com/go-resty/resty/v2"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// sign adds a login to a request, which goes to one host: redirects are not followed.
func sign(l remote.Login) func(*resty.Request) {
	return func(r *resty.Request) {
		if l.User == "" {
			r.SetHeader("X-API-Key", l.Secret.Reveal())
			return
		}
		r.SetBasicAuth(l.User, l.Secret.Reveal())
	}
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
func (l logins) forREST() (remote.Login, error) {
	key, err := l.key()
	if err != nil {
		return remote.Login{}, err
	}
	if key != "" {
		return remote.Login{Secret: dhcp.NewSecret(key)}, nil
	}
	return l.forUser()
}

// forUser is the user with the password, the only kind that XML-RPC accepts.
func (l logins) forUser() (remote.Login, error) {
	if l.user == "" {
		return remote.Login{}, fmt.Errorf("%w: no user is configured", ErrNoCredential)
	}
	password, err := l.password()
	if err != nil {
		return remote.Login{}, err
	}
	if password == "" {
		return remote.Login{}, fmt.Errorf("%w: no password for user %q", ErrNoCredential, l.user)
	}
	return remote.Login{User: l.user, Secret: dhcp.NewSecret(password)}, nil
}
