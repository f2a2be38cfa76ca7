package dhcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// ErrChanged is returned by Server.Apply and Server.Revert where the settings are not what the
// plan says they are: somebody else changed them. Nothing was written.
var ErrChanged = errors.New("the settings were changed by someone else meanwhile")

// ErrReload is wrapped in the error of Server.Apply and Server.Revert where the new settings
// were written, the DHCP server did not take them, and what was there before was put back and
// loaded again.
var ErrReload = errors.New("the DHCP server did not take the new settings; the old ones were put back")

// Problem is something about a plan that a person should know before it is carried out.
type Problem struct {
	Code   string `json:"code"`   // stable, lower case with dashes: for JSON, metrics, documentation
	Text   string `json:"text"`   // one sentence
	Refuse bool   `json:"refuse"` // the plan must not be carried out
}

// Plan is a change that has been read but not written.
type Plan struct {
	Before State
	// After is what Apply will leave. After.Raw is to the byte what it will write; it equals
	// Before.Raw where there is nothing to write.
	After    State
	Problems []Problem
	// Own are the addresses by which this server names itself (option 54) in its offers on this
	// network. Peers are those of its failover partners, whose offers are not ours to change.
	Own, Peers []netip.Addr
	// Silence is why this server may make the probe no offer although all is well: "opt1 answers only known clients";
	// "" if it should answer.
	Silence string
	// Proxy: another server leases addresses on this network, and its offers without boot
	// information are as they should be.
	Proxy bool
}

// Empty reports whether there is nothing to write.
func (p Plan) Empty() bool { return p.Before.Same(p.After) }

// Refused is the first problem that forbids carrying the plan out.
func (p Plan) Refused() (Problem, bool) {
	for _, q := range p.Problems {
		if q.Refuse {
			return q, true
		}
	}
	return Problem{}, false
}

// Ready is what Apply asks first: ErrChanged where the settings now are not those that p was planned for, and a
// *RefusedError where there is something to write and a problem of p forbids it.
func (p Plan) Ready(now State) error {
	if !now.Same(p.Before) {
		return ErrChanged
	}
	if q, refused := p.Refused(); refused && !p.Empty() {
		return &RefusedError{q}
	}
	return nil
}

// Server is a DHCP server's settings for one network. Implementations are the backends.
type Server interface {
	// Plan reads the settings and says what it would take to make them say want. It writes
	// nothing. The zero Boot plans to turn network boot off.
	Plan(ctx context.Context, want Boot) (Plan, error)
	// Apply writes p.After and has the server load it; Configure reads it back. If the settings
	// are no longer p.Before, it writes nothing and returns ErrChanged, which it returns in no
	// other case. An empty plan writes nothing and has the server load what is written.
	Apply(ctx context.Context, p Plan) error
	// Revert goes back to p.Before and has the server load it. If the settings are neither
	// p.After nor p.Before, it writes nothing and returns ErrChanged. Where they are p.Before
	// already (an Apply killed before it wrote, or a Revert killed before it loaded) it only
	// has the server load them. Where p.Before is Stopped the server is stopped and loads nothing.
	Revert(ctx context.Context, p Plan) error
	// String names the server and the network: "dnsmasq, interface eth1".
	String() string
}

// Keeper is a Server that undoes an Apply by itself unless it is told in time to keep it: a router's dead man's switch.
type Keeper interface {
	// Keep is called once after an Apply of p whenever what it wrote is to stay: proven, not proven, or beside another
	// server that is wrong. Revert is called otherwise.
	Keep(ctx context.Context, p Plan) error
}

// Piecewise is a Server that writes its settings by several requests, so that a run that is killed may leave some of
// them written and others not.
type Piecewise interface {
	// Between reports whether a change from one state to the other that was killed may have left now. It contacts
	// nobody.
	Between(now, from, to State) bool
}

// MaxBootFile is the longest boot file name in bytes: the BOOTP field has 128 with its NUL (RFC 2131 section 2). A
// longer option 67 is of no use, because clients copy it into that field.
const MaxBootFile = 127

// Note is a problem to be told of, which keeps nobody from going on.
func Note(code, format string, args ...any) Problem {
	return Problem{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Refusal is a problem for which the plan must not be carried out.
func Refusal(code, format string, args ...any) Problem {
	return Problem{Code: code, Text: fmt.Sprintf(format, args...), Refuse: true}
}
