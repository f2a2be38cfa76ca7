// Package opnsense configures network boot on one interface of an OPNsense firewall, by its API: in Dnsmasq, or in Kea
// where that is the DHCP server. It owns entries by uuids that it derives from the interface, and changes no other.
package opnsense

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"pxeagent/agent/dhcp/remote"
)

// Errors besides those of package remote. ErrPrivilege of that package: the key's user lacks a right, which the text
// names.
var (
	// ErrKey: what is configured is not an API key with its secret. Nothing was sent.
	ErrKey = errors.New("invalid API key")
	// ErrReadOnly: the key's user may not change the configuration (user-config-readonly).
	ErrReadOnly = errors.New("the firewall denies this key's user any change")
	// ErrNoAPI: the firewall has no such function: it is older than 25.7, or its API is off.
	ErrNoAPI = errors.New("the firewall has no such function in its API")
	// ErrValidation: the firewall rejects a value. What was written before is put back.
	ErrValidation = errors.New("the firewall rejects a setting")
	// ErrStopped: the DHCP server does not run after its restart.
	ErrStopped = errors.New("the firewall's DHCP server does not run")
	// ErrNoInterface: the firewall has no such interface, or no DHCP range with addresses for it.
	ErrNoInterface = errors.New("the firewall has no such interface with a DHCP range")
	// ErrAPI: the firewall answered with another error.
	ErrAPI = errors.New("the firewall did not do what it was asked")
)

// Daemon is a DHCP server of OPNsense, as the configuration names it.
type Daemon string

const (
	Auto    Daemon = "auto" // the one that serves the interface
	Dnsmasq Daemon = "dnsmasq"
	Kea     Daemon = "kea"
)

// Config says which firewall, and how it is reached.
type Config struct {
	remote.Config
	Interface string // its identifier ("lan", "opt1") or its description; "": none, which is enough to list them
	// Credential is called once, when first needed. It returns an API key and its secret, as ParseKey takes them.
	Credential func() (string, error)
	Daemon     Daemon           // "": Auto
	ProbeMAC   net.HardwareAddr // that the change will be verified as; nil: one that the firewall does not know
	Log        *slog.Logger     // nil: nothing is logged
}

// restartLimit is how long a DHCP server may take until it runs again.
const restartLimit = 30 * time.Second

// Server is network boot on one interface of a firewall. It implements dhcp.Server.
type Server struct {
	cfg    Config
	client *remote.Client
	pause  time.Duration // between two looks at a restart
	limit  time.Duration // restartLimit
}

// New makes a Server. It contacts nobody.
func New(c Config) (*Server, error) {
	c.Daemon = cmp.Or(c.Daemon, Auto)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	client, err := remote.New(c.Config)
	if err != nil {
		return nil, err
	}
	return &Server{cfg: c, client: client, pause: 250 * time.Millisecond, limit: restartLimit}, nil
}

func (s *Server) String() string {
	return fmt.Sprintf("OPNsense at %s, interface %s", s.cfg.URL.Host, s.cfg.Interface)
}

// ParseKey reads the file that OPNsense gives when a key is made: a line "key=…" and a line "secret=…". Two lines
// without names are taken too, and "key:secret". Its error is ErrKey.
func ParseKey(text string) (key, secret string, err error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 1 {
		lines = strings.SplitN(lines[0], ":", 2)
	}
	if len(lines) != 2 {
		return "", "", fmt.Errorf(`%w: want the two lines "key=…" and "secret=…" of the file that OPNsense gives`,
			ErrKey)
	}
	key, secret = strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1])
	if strings.HasPrefix(key, "secret=") && strings.HasPrefix(secret, "key=") {
		key, secret = secret, key
	}
	key, secret = strings.TrimPrefix(key, "key="), strings.TrimPrefix(secret, "secret=")
	if key == "" || secret == "" {
		return "", "", fmt.Errorf("%w: the key or its secret is empty", ErrKey)
	}
	return key, secret, nil
}
