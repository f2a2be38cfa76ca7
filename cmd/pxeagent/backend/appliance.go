package backend

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// appliance is a DHCP server that is asked over the network, as keys, commands and messages name it.
type appliance struct {
	name    string // of the backend, of its command, and in its keys dhcp.NAME.*: "openwrt"
	product string // "the OpenWrt router"
	what    string // "router"
	flags   string // what its flags begin with, but for --NAME itself: "openwrt-"
	example string // a URL
	login   string // the keys of its login
	console string // where it says its own fingerprint: "over SSH"
	// local: http does as well where it does not leave this machine.
	local bool
	// of is where and how it is reached; StateDir and RetryAuth are not in it.
	of func(*config.Config) *remote.Config
}

// config is what can be configured of it: how it is reached, and keys of its own.
func (a appliance) config(networks string, keys []config.Key, secrets ...config.SecretSource) config.Backend {
	return config.Backend{
		Name: a.name, Networks: networks, Keys: keys, Secrets: secrets, SendsURL: true,
		Check: a.check, Auto: func(c config.Config) bool { return a.of(&c).URL != nil }, AutoWhen: "its url is set",
	}
}

// keys are those that every appliance has, with those of its login between.
func (a appliance) keys(login ...config.Key) []config.Key {
	key := func(name, arg, usage string, into config.Target) config.Key {
		return config.Key{Name: "dhcp." + a.name + "." + name, Flag: a.flag(name), Arg: arg, Usage: usage, Into: into}
	}
	ca := key("ca_file", "FILE", "PEM file with the CA that signed the "+a.what+"'s certificate; default: the system's",
		config.Text(func(c *config.Config) *string { return &a.of(c).CAFile }))
	ca.Path = true
	return slices.Concat([]config.Key{
		key("url", "URL", a.product+", such as "+a.example,
			config.One(func(c *config.Config) **url.URL { return &a.of(c).URL }, a.parseURL)),
	}, login, []config.Key{
		key("tls_sha256", "HEX",
			"SHA-256 of the "+a.what+"'s certificate, in hex: this one is accepted, whoever signed it, and no other",
			config.One(func(c *config.Config) **[32]byte { return &a.of(c).TLSSHA256 }, config.ParseFingerprint)),
		ca,
	})
}

// flag is that of a key.
func (a appliance) flag(key string) string {
	if key == "url" {
		return a.name
	}
	return a.flags + strings.ReplaceAll(key, "_", "-")
}

// key names one of its keys in a hint: "dhcp.openwrt.url (--openwrt)".
func (a appliance) key(name string) string {
	return fmt.Sprintf("dhcp.%s.%s (--%s)", a.name, name, a.flag(name))
}

func (a appliance) check(c config.Config, wrong func(key, format string, args ...any)) {
	if c.DHCP.Backend == a.name && a.of(&c).URL == nil {
		wrong("dhcp."+a.name+".url", "is not set; dhcp.backend %s needs it, such as %s", a.name, a.example)
	}
}

// parseURL never repeats a text that may hold a password.
func (a appliance) parseURL(s string) (*url.URL, error) {
	if strings.Contains(s, "@") {
		return nil, errors.New("holds a user or a password; want https://HOST, with " + a.login)
	}
	if !strings.Contains(s, "://") {
		return nil, fmt.Errorf("%q has no scheme; want https://%s", s, s)
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("invalid URL %q: want one such as %s", s, a.example)
	}
	port := ":443"
	if u.Scheme == "http" && a.local && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname()) {
		port = ":80"
	} else if u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not https, and would send credentials in the clear; want https://%s", s, u.Host)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q has more than a host and a port; want %s://%s", s, u.Scheme, u.Host)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%q has port %s; want a number from 1 to 65535", s, p)
		}
	}
	// One server has one name: the journal and what is remembered of logins go by it.
	u.Path, u.Host = "", strings.TrimSuffix(strings.ToLower(u.Host), port)
	return u, nil
}

// reach is how s reaches it. A login is tried again once in a run, not once for each network.
func (a appliance) reach(s *Session) (remote.Config, error) {
	c := *a.of(&s.Config)
	if c.URL == nil {
		return c, cli.Failure{
			Code: cli.Usage, Err: fmt.Errorf("dhcp.%s.url: is not set", a.name),
			Hints: []string{fmt.Sprintf("name the %s: --%s %s", a.what, a.name, a.example)},
		}
	}
	c.StateDir, c.RetryAuth = s.Config.StateDir, s.once(retryAuth)
	return c, nil
}

const retryAuth = "retry-auth"

func addRetryAuth(flags *pflag.FlagSet) {
	if flags.Lookup(retryAuth) == nil { // several backends have it
		flags.Bool(retryAuth, false, "log in to the DHCP server even with what it refused before")
	}
}

// openFound is Backend.Open where Find has opened the server.
func openFound(_ *Session, n Network) (dhcp.Server, error) { return n.server, nil }

// journalKey is Backend.Key where the host and the network's name or id are the key.
func (a appliance) journalKey(c config.Config, n Network) string {
	id := n.ID
	if id == "" {
		id = n.Name
	}
	return a.of(&c).URL.Host + "-" + id
}

// remember is Backend.Remember where the server tells names in upper and in lower case apart.
func (a appliance) remember(c config.Config, name string) string {
	return a.name + "/" + a.of(&c).URL.Host + "/" + name
}
