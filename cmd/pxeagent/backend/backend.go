// Package backend has the DHCP servers that pxeagent can configure: one file for each, and one table of them.
package backend

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// Backend is a DHCP server that can be configured. Functions that may be nil say so.
type Backend struct {
	config.Backend                      // its name, its keys
	Flags          func(*pflag.FlagSet) // of commands that ask the server, besides those of its keys; nil: none
	Codes          []cli.Code           // that only this server has
	// Refusals are of plans that it refuses for a reason of its own, Hints of its errors.
	Refusals, Hints []cli.Rule
	// Commands are its own; nil: none.
	Commands func(Host) *cobra.Command

	// Find asks the server about the network that it calls name, before anything else; nil: name is a device of this
	// machine and says enough.
	Find func(ctx context.Context, s *Session, name string) (Network, error)
	// Open makes the server ready to be planned for. n is what Find returned.
	Open func(s *Session, n Network) (dhcp.Server, error)
	// Leased are the networks, of those of the device of that name, in which a server on this machine leases addresses;
	// none: that cannot be said. nil: as for none.
	Leased func(c config.Config, device string) ([]netip.Prefix, error)
	// Key is the network's, among all that this server has: the journal goes by it.
	Key func(c config.Config, n Network) string
	// Remember is the name under which the addresses that Find told, or another's leases beside a proxy, are kept for
	// commands that ask nobody; nil: nothing is kept.
	Remember func(c config.Config, name string) string

	// TellsIPXE: the server sends iPXE something else than firmware. why is a sentence without a full stop.
	TellsIPXE func(config.Config) (tells bool, why string)
	// TellsURL explains what comes of sending a URL for HTTP boot, or of not sending it; "": nothing to say.
	TellsURL func(c config.Config, sent bool) string
	// Local: it runs on this machine, and names itself by the address of the device. Proxy says whether it leaves
	// the addresses to another server.
	Local bool
	Proxy func(config.Config) bool

	// StandIn starts one on loopback for the demo, with its files in dir; nil: there is none.
	StandIn func(dir string) (StandIn, error)
}

// Table has a row for each.
func Table() []Backend { return []Backend{dnsmasqHere(), pfSense(), opnSense(), openWrt(), piHole()} }

// Schema is what can be configured with the backends of table.
func Schema(table []Backend) *config.Schema {
	var rows []config.Backend
	for _, b := range table {
		rows = append(rows, b.Backend)
	}
	return config.NewSchema(rows...)
}

// Network is a network as its DHCP server knows it.
type Network struct {
	Name   string       // as the configuration calls it
	ID     string       // the one name of it that does not change; "" where Name is that
	Prefix netip.Prefix // invalid where it is not known
	// Abilities are what of the desired settings the server can send there, as it told.
	Abilities dhcp.Abilities
	server    dhcp.Server // opened by Find; nil: not asked
}

// Asked reports whether the server was asked about it.
func (n Network) Asked() bool { return n.server != nil }

// Of is the row of that name.
func Of(table []Backend, name string) (Backend, bool) {
	for _, b := range table {
		if b.Name == name {
			return b, true
		}
	}
	return Backend{}, false
}

// Session is one command's work with a backend. Each secret is read when it is first needed, and once, however many
// networks there are.
type Session struct {
	Config  config.Config
	Flags   *pflag.FlagSet // of the command
	Log     *slog.Logger
	stdin   io.Reader
	secrets map[string]func() (string, error)
	used    map[string]bool
}

// NewSession works by the configuration c. Secrets may come from stdin.
func NewSession(c config.Config, flags *pflag.FlagSet, stdin io.Reader, log *slog.Logger) *Session {
	return &Session{Config: c, Flags: flags, Log: log, stdin: stdin, secrets: map[string]func() (string, error){},
		used: map[string]bool{}}
}

// secret is what src holds, "" where it is not set.
func (s *Session) secret(src config.SecretSource) func() (string, error) {
	if s.secrets[src.Key] == nil {
		s.secrets[src.Key] = onceSecret(s.Config, src, s.stdin)
	}
	return s.secrets[src.Key]
}

func onceSecret(c config.Config, src config.SecretSource, stdin io.Reader) func() (string, error) {
	var text string
	var err error
	done := false
	return func() (string, error) {
		if !done {
			var secret config.Secret
			if secret, err = config.ReadSecret(c, src, stdin); errors.Is(err, config.ErrNoSecret) {
				err = nil
			} else if err == nil {
				text = secret.Reveal()
			}
			done = true
		}
		return text, err
	}
}

// once reports whether that yes-or-no flag was given, the first time that it is asked.
func (s *Session) once(flag string) bool {
	if s.used[flag] || config.FlagValue(s.Flags, flag) != "true" {
		return false
	}
	s.used[flag] = true
	return true
}

// Host is the program as a backend's own commands see it.
type Host interface {
	Session(*cobra.Command) (*Session, error)
	Schema() *config.Schema
	Out() io.Writer
}

// StandIn is a DHCP server on loopback that the demo configures. Its network is called "admin", and what it answers
// comes to the port that it was asked from.
type StandIn interface {
	DHCP() netip.AddrPort
	// Trust does what a person does once before the server is configured, and says what that was.
	Trust(context.Context) (string, error)
	// Open opens the server; again: by the other way into it, if there are two.
	Open(again bool) (dhcp.Server, error)
	// Way is how s was reached: "the REST package".
	Way(s dhcp.Server) string
	// Unchanged fails unless all is as it was at first, and loaded.
	Unchanged() error
	// Visit is how a person asks it something, as lines for a terminal.
	Visit() string
	Close()
}
