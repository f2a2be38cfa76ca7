// Package pfsense sets network boot on a pfSense firewall, by its REST package or its stock XML-RPC, and puts back what
// was there.
package pfsense

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pxeagent/agent/dhcp"
)

// Errors that a caller branches on, besides those of the connection.
var (
	// ErrNoInterface: no interface has that description, id or device. The text lists those that exist.
	ErrNoInterface = errors.New("interface not found on the firewall")
	// ErrAmbiguous: several interfaces match. The text lists them.
	ErrAmbiguous = errors.New("ambiguous interface")
	// ErrUnapplied: DHCP settings were saved in the web interface and not applied; they would take effect with ours.
	// Nothing was written.
	ErrUnapplied = errors.New("the firewall has DHCP settings that were saved but not applied; nothing was written")
	// ErrNoSection: the interface's DHCP settings were removed. Nothing was written.
	ErrNoSection = errors.New("the firewall no longer has DHCP settings for this interface; nothing was written")
	// ErrUnfit: Kea's own check rejects the client class for iPXE. Nothing was written. The text says why.
	ErrUnfit = errors.New("the firewall's Kea rejects the client class for iPXE; nothing was written")
	// ErrStopped: the DHCP daemon was running before and is not running now. The text says which settings are in place.
	ErrStopped = errors.New("the firewall's DHCP server is no longer running")
)

// Server manages the network boot settings of one interface of a pfSense. It implements dhcp.Server.
type Server struct {
	transport transport
	host      string    // the firewall's name: "fw.lan"
	name      string    // description, id or device, as configured; "": none, which is enough to list them
	known     *firewall // as it was read last, if nothing was written since; nil: not known
	fresh     bool      // known is what Found read, for the next Plan
	iface     *iface    // the interface of that name; nil until it was read
	wait      time.Duration
	tellIPXE  bool // give Kea a client class for iPXE where a script is wanted
	kea       kea
	clock     clock
	revision  revision // the firewall's last, when the interface was read last
}

// kea is where Kea is on the firewall.
type kea struct{ program, file string }

// keaOnFirewall is where pfSense installs Kea, and the configuration that it generated last.
var keaOnFirewall = kea{program: "/usr/local/sbin/kea-dhcp4", file: "/usr/local/etc/kea/kea-dhcp4.conf"}

var _ dhcp.Server = (*Server)(nil)

// newServer works on the interface of that name through r. The caller sets host.
func newServer(r transport, iface string) *Server {
	return &Server{transport: r, name: iface, wait: startWithin, kea: keaOnFirewall, clock: realClock()}
}

// String is "pfSense fw.lan, interface ADMIN (opt1)", with the configured name until the interface was read.
func (s *Server) String() string {
	name := s.name
	if s.iface != nil {
		name = s.iface.label()
	}
	return fmt.Sprintf("pfSense %s, interface %s", s.host, name)
}

// Transport is how the firewall is reached: "REST at https://fw.lan".
func (s *Server) Transport() string { return s.transport.String() }

// resolve is the interface, read where it is not known yet. Its id does not change in the life of a Server.
func (s *Server) resolve(ctx context.Context) (iface, error) {
	if s.iface != nil {
		return *s.iface, nil
	}
	_, p, err := s.readInterface(ctx)
	return p, err
}

func (s *Server) readInterface(ctx context.Context) (firewall, iface, error) {
	f, err := s.read(ctx)
	if err != nil {
		return firewall{}, iface{}, err
	}
	p, err := f.find(s.name)
	if err != nil {
		return firewall{}, iface{}, err
	}
	s.iface, s.known, s.revision = &p, &f, f.Revision
	return f, p, nil
}
