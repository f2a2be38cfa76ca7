package pfsense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"pxeagent/agent/dhcp/remote"
)

// Config says which pfSense firewall, and how it is reached.
type Config struct {
	remote.Config
	Transport string // auto, rest, xmlrpc
	Interface string // description, internal id or device; "": none, which is enough to list them

	User string
	// Password and APIKey are called once, when first needed. They return "" if there is none; nil: there is none.
	Password, APIKey func() (string, error)

	// TellIPXE makes Kea send iPXE dhcp.Boot.Script, by a client class in the firewall's custom configuration for Kea.
	// If that is not possible, Plan refuses. Without it iPXE is sent the same as firmware, and a class from before is
	// removed.
	TellIPXE bool

	Log *slog.Logger // nil: nothing is logged
}

// New makes a Server for one interface of a pfSense. It does not contact the firewall.
func New(c Config) (*Server, error) {
	r, err := dial(c)
	if err != nil {
		return nil, err
	}
	s := newServer(r, c.Interface)
	s.host, s.tellIPXE = c.URL.Host, c.TellIPXE
	return s, nil
}

// transport runs a PHP program on the firewall and returns its result as JSON.
type transport interface {
	run(ctx context.Context, p program) (json.RawMessage, error)
	String() string // "REST at https://fw.lan"
}

// dial makes the transport that c names. It does not contact the firewall.
func dial(c Config) (transport, error) {
	s, err := newSession(c)
	if err != nil {
		return nil, err
	}
	byREST, byXMLRPC := &restTransport{session: s, place: onFirewall}, &xmlrpcTransport{s}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &autoTransport{rest: byREST, xmlrpc: byXMLRPC, key: s.logins.key, log: log}
	switch c.Transport {
	case "rest":
		r.choose(byREST, "it is configured")
	case "xmlrpc":
		r.choose(byXMLRPC, "it is configured")
	}
	return r, nil
}

// autoTransport chooses a transport when it is first needed.
type autoTransport struct {
	rest, xmlrpc transport
	key          func() (string, error)
	log          *slog.Logger

	mu     sync.Mutex // one program at a time
	chosen transport  // nil: not chosen yet
}

func (r *autoTransport) choose(way transport, why string) {
	r.chosen = way
	r.log.Debug("firewall transport chosen", "transport", way.String(), "why", why)
}

func (r *autoTransport) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chosen == nil {
		return "REST or XML-RPC"
	}
	return r.chosen.String()
}

// run sends p by the chosen transport. If none is chosen yet, REST is tried: the web page that answers if the package
// is missing is the only answer that leads to XML-RPC, and no login is checked for it. A rejected login is never sent
// by the other transport.
func (r *autoTransport) run(ctx context.Context, p program) (json.RawMessage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chosen == nil {
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		if key != "" {
			r.choose(r.rest, "an API key is configured")
		}
	}
	if r.chosen != nil {
		return r.chosen.run(ctx, p)
	}
	result, err := r.rest.run(ctx, p)
	switch {
	case errors.Is(err, ErrNoPackage):
		r.choose(r.xmlrpc, "the REST package does not answer: "+err.Error())
	case answered(err):
		r.choose(r.rest, "the REST package answers")
		return result, err
	default:
		return result, err
	}
	if result, err = r.xmlrpc.run(ctx, p); errors.Is(err, ErrNotPfSense) {
		err = fmt.Errorf("neither the REST package nor XML-RPC answers: %w", err)
	}
	return result, err
}

// answered reports whether err, or its absence, came from the REST package.
func answered(err error) bool {
	if err == nil {
		return true
	}
	for _, from := range []error{ErrPrivilege, ErrNotAllowed, ErrReadOnly, ErrProgram} {
		if errors.Is(err, from) {
			return true
		}
	}
	return false
}
