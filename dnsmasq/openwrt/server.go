// Package openwrt configures network boot for one network of an OpenWrt router, by ubus over HTTP. It owns sections of
// /etc/config/dhcp whose names begin with pxeagent_NETWORK_, and changes no other. The router itself undoes a change
// unless it is told in time to keep it.
package openwrt

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// Errors besides those of package remote.
var (
	// ErrNoUbus: nothing answers at /ubus: uhttpd-mod-ubus and rpcd, which LuCI brings, are not installed.
	ErrNoUbus = errors.New("the router has no ubus over HTTP")
	// ErrNoNetwork: the router has no such network with an IPv4 address.
	ErrNoNetwork = errors.New("the router has no such network with an IPv4 address")
	// ErrPending: somebody else's change waits to be confirmed at the router, and nothing can be applied meanwhile.
	ErrPending = errors.New("a change waits to be confirmed at the router")
	// ErrStopped: Dnsmasq does not run with the new settings.
	ErrStopped = errors.New("the router's Dnsmasq does not run")
	// ErrUbus: the router answered with another error.
	ErrUbus = errors.New("the router did not do what it was asked")
)

// Config says which router, and how it is reached.
type Config struct {
	remote.Config
	Interface string // a network of the router: "lan"; "": none, which is enough to list them
	User      string
	Password  func() (string, error) // called once, when first needed
	ProbeMAC  net.HardwareAddr       // that the change will be verified as; nil: one that Dnsmasq does not know
	Log       *slog.Logger           // nil: nothing is logged
}

const (
	// loadLimit is how long Dnsmasq may take until it runs with new settings: procd begins a second after a change.
	loadLimit = 30 * time.Second
	// keepLimit is how long the router waits to be told to keep a change: loading, 30 s of looking at the wire, and a
	// margin.
	keepLimit = 2 * time.Minute
)

// Server is network boot on one network of a router. It implements dhcp.Server and dhcp.Keeper.
type Server struct {
	cfg    Config
	client *remote.Client
	settle time.Duration // how long Dnsmasq must run before it counts as running
	pause  time.Duration // between two looks at it
	limit  time.Duration // loadLimit
	// pending is a change that the router undoes unless it is told to keep it. Its session must not be ended.
	pending bool
	others  []byte // what else was there when it was applied; nil: it was applied by another process
}

// New makes a Server. It contacts nobody.
func New(c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if strings.Trim(c.Interface, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return nil, fmt.Errorf("invalid interface %q: want a network of the router, such as lan", c.Interface)
	}
	client, err := remote.New(c.Config)
	if err != nil {
		return nil, err
	}
	return &Server{
		cfg: c, client: client, settle: 3 * time.Second, pause: 250 * time.Millisecond, limit: loadLimit,
	}, nil
}

func (s *Server) String() string {
	return fmt.Sprintf("OpenWrt at %s, network %s", s.cfg.URL.Host, s.cfg.Interface)
}

var (
	_ dhcp.Server = (*Server)(nil)
	_ dhcp.Keeper = (*Server)(nil)
)
