package pfsense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
)

// Config is a pfSense firewall and how it is reached.
type Config struct {
	URL       *url.URL // https, host and port
	Transport string   // auto, rest, xmlrpc
	Interface string   // description, internal id or device; "": none, which is enough to list them

	User string
	// Password and APIKey are read when they are first needed, and once. They return "" where there is none; nil: there is none.
	Password, APIKey func() (string, error)

	TLSSHA256 *[32]byte // of the only certificate that is accepted, in DER; nil: CAs vouch for it
	CAFile    string    // PEM; "": the system's CAs

	StateDir  string // where refused credentials are remembered; "": nowhere
	RetryAuth bool   // send a credential that was refused before

	// TellIPXE has Kea tell iPXE from a ROM, and send it to dhcp.Boot.Script, by a class in the firewall's custom configuration for Kea. Where
	// that cannot be, Plan refuses. Without it iPXE is told what a ROM is, and a class that was put there before is taken away.
	TellIPXE bool

	Log *slog.Logger // nil: nothing is logged
}

// New is the network boot settings of one interface of a pfSense. It asks the firewall nothing.
func New(c Config) (*Server, error) {
	r, err := dial(c)
	if err != nil {
		return nil, err
	}
	s := newServer(r, c.Interface)
	s.host, s.tell = c.URL.Host, c.TellIPXE
	return s, nil
}

// runner runs a PHP program on the firewall and returns the JSON that it leaves.
type runner interface {
	run(ctx context.Context, p program) (json.RawMessage, error)
	String() string // "REST at https://fw.lan"
}

// dial makes the runner that c asks for. It asks the firewall nothing.
func dial(c Config) (runner, error) {
	s, err := newSession(c)
	if err != nil {
		return nil, err
	}
	byREST, byXMLRPC := &rest{session: s, place: onFirewall}, &stock{s}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &road{rest: byREST, stock: byXMLRPC, key: s.logins.key, log: log}
	switch c.Transport {
	case "rest":
		r.take(byREST, "it is configured")
	case "xmlrpc":
		r.take(byXMLRPC, "it is configured")
	}
	return r, nil
}

// road is the way in, found when it is first needed.
type road struct {
	rest, stock runner
	key         func() (string, error)
	log         *slog.Logger

	mu     sync.Mutex // one program at a time, and one finds the way
	chosen runner     // nil: not found yet
}

func (r *road) take(way runner, why string) {
	r.chosen = way
	r.log.Debug("way into the firewall", "way", way.String(), "why", why)
}

func (r *road) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chosen == nil {
		return "REST or XML-RPC"
	}
	return r.chosen.String()
}

// run sends p by the way that was chosen. With none yet, REST is tried: the web page that answers where the package is missing is the only
// answer that leads to XML-RPC, and no login is looked at for it. A refused login never goes on to the other way.
func (r *road) run(ctx context.Context, p program) (json.RawMessage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chosen == nil {
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		if key != "" {
			r.take(r.rest, "an API key is given")
		}
	}
	if r.chosen != nil {
		return r.chosen.run(ctx, p)
	}
	result, err := r.rest.run(ctx, p)
	switch {
	case errors.Is(err, ErrNoPackage):
		r.take(r.stock, "the REST package does not answer: "+err.Error())
	case answered(err):
		r.take(r.rest, "the REST package answers")
		return result, err
	default:
		return result, err
	}
	if result, err = r.stock.run(ctx, p); errors.Is(err, ErrNotPfSense) {
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
