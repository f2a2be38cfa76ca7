package pfsense

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pxeagent/agent/dhcp"
)

// What a caller branches on, besides the errors of the network side.
var (
	// ErrNoInterface: the firewall has no interface of that description, id or device. The text lists what there is.
	ErrNoInterface = errors.New("the firewall has no interface")
	// ErrAmbiguous: several are called so. The text lists what there is.
	ErrAmbiguous = errors.New("it is not clear which interface is meant by")
	// ErrUnapplied: somebody saved DHCP settings in the web page and did not apply them; they would go live with ours. Nothing was written.
	ErrUnapplied = errors.New("DHCP settings were saved on the firewall and not applied; nothing was written")
	// ErrNoSection: the interface's DHCP settings are gone. Nothing was written.
	ErrNoSection = errors.New("the firewall has no DHCP settings for this interface any more; nothing was written")
	// ErrUnfit: Kea, asked beforehand, does not take the class that tells iPXE apart. Nothing was written. The text says why.
	ErrUnfit = errors.New("the firewall's Kea does not take the class that tells iPXE from a ROM; nothing was written")
	// ErrStopped: the DHCP daemon ran before and does not run now. The text says which settings are there.
	ErrStopped = errors.New("the firewall's DHCP server does not run any more")
)

// Server is the network boot settings of one interface of a pfSense. It implements dhcp.Server.
type Server struct {
	run   runner
	host  string // how the firewall is called: "fw.lan"
	iface string // as a person calls it; "": none, which is enough to list them
	port  *port  // what that is; nil until it was read
	wait  time.Duration
	tell  bool // Kea is to be given a class that tells iPXE from a ROM, where a script is wanted
	kea   kea
}

// kea is where Kea is on the firewall.
type kea struct{ program, file string }

// keaOnFirewall is where pfSense has it, with the configuration that it made last.
var keaOnFirewall = kea{program: "/usr/local/sbin/kea-dhcp4", file: "/usr/local/etc/kea/kea-dhcp4.conf"}

var _ dhcp.Server = (*Server)(nil)

// newServer works on iface, as a person calls it, by way of r. Who makes it says how the firewall is called.
func newServer(r runner, iface string) *Server {
	return &Server{run: r, iface: iface, wait: startWithin, kea: keaOnFirewall}
}

// String is "pfSense fw.lan, interface ADMIN (opt1)", or what a person calls the interface until it was read.
func (s *Server) String() string {
	name := s.iface
	if s.port != nil {
		name = s.port.label()
	}
	return fmt.Sprintf("pfSense %s, interface %s", s.host, name)
}

// Way is how the firewall is reached: "REST at https://fw.lan".
func (s *Server) Way() string { return s.run.String() }

// at is the interface, read where it is not known yet. Its id does not change in the life of a Server.
func (s *Server) at(ctx context.Context) (port, error) {
	if s.port != nil {
		return *s.port, nil
	}
	_, p, err := s.look(ctx)
	return p, err
}

func (s *Server) look(ctx context.Context) (firewall, port, error) {
	f, err := s.read(ctx)
	if err != nil {
		return firewall{}, port{}, err
	}
	p, err := f.find(s.iface)
	if err != nil {
		return firewall{}, port{}, err
	}
	s.port = &p
	return f, p, nil
}
