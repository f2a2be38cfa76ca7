// Package pihole configures network boot in the Dnsmasq that Pi-hole (version 6) has built in, by its API. It owns one
// block of consecutive lines of the setting misc.dnsmasq_lines, between two comments, and changes nothing else.
package pihole

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/dnsmasq"
)

// Errors besides those of package remote.
var (
	// ErrNotPermitted: the session may not change the configuration.
	ErrNotPermitted = errors.New("the Pi-hole does not let this password change its configuration")
	// ErrReadOnly: Pi-hole's configuration is read-only (misc.readOnly).
	ErrReadOnly = errors.New("the Pi-hole's configuration is read-only")
	// ErrEnvironment: the lines are set by an environment variable of its container.
	ErrEnvironment = errors.New("the Pi-hole takes misc.dnsmasq_lines from its environment")
	// ErrSecondFactor: the password needs a second factor, which a program does not have.
	ErrSecondFactor = errors.New("the Pi-hole wants a second factor with this password")
	// ErrBusy: too many logins or sessions at this time.
	ErrBusy = errors.New("the Pi-hole admits no more logins for now")
	// ErrRejected: Dnsmasq's own test rejects the configuration with the new lines. Nothing was changed.
	ErrRejected = errors.New("the Pi-hole rejects the new lines; nothing was changed")
	// ErrStopped: after a restart Pi-hole's Dnsmasq does not run.
	ErrStopped = errors.New("the Pi-hole's Dnsmasq does not run")
	// ErrNoInterface: Pi-hole has no such device, or it has no IPv4 address.
	ErrNoInterface = errors.New("the Pi-hole has no such interface with an IPv4 address")
	// ErrAPI: Pi-hole answered with another error.
	ErrAPI = errors.New("the Pi-hole did not do what it was asked")
)

// Config says which Pi-hole, and how it is reached.
type Config struct {
	remote.Config
	Interface string // a device of Pi-hole's machine; "": none, which is enough to list them
	// Password is called once, when first needed: an app password, or the main one. It returns "" where none is set.
	Password func() (string, error)
	Mode     dnsmasq.Mode     // "": dnsmasq.ModeServer
	ProbeMAC net.HardwareAddr // that the change will be verified as; nil: one that Pi-hole does not know
	Log      *slog.Logger     // nil: nothing is logged
}

// restartLimit is how long Pi-hole may take until it answers again: it opens a large database first.
const restartLimit = 60 * time.Second

// Server is network boot on one device of a Pi-hole. It implements dhcp.Server.
type Server struct {
	cfg    Config
	client *remote.Client
	pause  time.Duration // between two looks at a restart
	limit  time.Duration // restartLimit
}

// New makes a Server. It contacts nobody.
func New(c Config) (*Server, error) {
	if c.Mode == "" {
		c.Mode = dnsmasq.ModeServer
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if why := badInterface(c.Interface); why != "" {
		return nil, fmt.Errorf("invalid interface %q: %s", c.Interface, why)
	}
	client, err := remote.New(c.Config)
	if err != nil {
		return nil, err
	}
	return &Server{cfg: c, client: client, pause: 250 * time.Millisecond, limit: restartLimit}, nil
}

// badInterface is what keeps a name from being a tag of Dnsmasq, or "".
func badInterface(name string) string {
	if strings.ContainsAny(name, " ,:\"\\\t\n#!") || len(name) > 15 {
		return "want the name of a device, such as eth0"
	}
	return ""
}

func (s *Server) String() string {
	mode := ""
	if s.cfg.Mode == dnsmasq.ModeProxy {
		mode = " (proxy)"
	}
	return fmt.Sprintf("Pi-hole at %s%s, interface %s", s.cfg.URL.Host, mode, s.cfg.Interface)
}

var _ dhcp.Server = (*Server)(nil)
