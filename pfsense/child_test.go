package pfsense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
)

// TestMain makes this program the child processes that tests kill half-way: those of the conformance suite, whose
// backend is on the stub ("php", folder, age) or on a firewall reached by HTTPS ("https", a Reach as JSON), and those
// that configure in one go.
func TestMain(m *testing.M) {
	if text, child := os.LookupEnv(ChildEnv); child {
		if err := configureAsChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(dhcptest.Main(m, func(args []string, step func()) (dhcp.Server, error) {
		if args[0] == "https" {
			var r Reach
			if err := json.Unmarshal([]byte(args[1]), &r); err != nil {
				return nil, err
			}
			return r.open(step)
		}
		s := &stub{t: panics{}, dir: args[1], age: args[2]}
		b := s.server("admin")
		b.transport = stepping{b.transport, step}
		return b, nil
	}))
}

// panics replaces testing.TB in a process that runs no test.
type panics struct{ testing.TB }

func (panics) Helper()                   {}
func (panics) Cleanup(func())            {}
func (panics) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (panics) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// stepping calls step before and after each program.
type stepping struct {
	transport
	step func()
}

func (s stepping) run(ctx context.Context, p program) (json.RawMessage, error) {
	s.step()
	defer s.step()
	return s.transport.run(ctx, p)
}

// Reach is how a process reaches a firewall, as JSON.
type Reach struct {
	URL, Transport, User, Password string
	SHA256                         [32]byte
	TellIPXE                       bool
}

// Open opens the backend for interface ADMIN.
func (r Reach) Open() (*Server, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, err
	}
	return New(Config{Config: remote.Config{URL: u, TLSSHA256: &r.SHA256}, Transport: r.Transport, Interface: "ADMIN",
		User: r.User, TellIPXE: r.TellIPXE, Password: func() (string, error) { return r.Password, nil }})
}

// At makes s live by another clock.
func (s *Server) At(now func() time.Time, sleep func(context.Context, time.Duration)) *Server {
	s.clock = clock{now, sleep}
	return s
}

// open is Open with step called before each request, and after each program.
func (r Reach) open(step func()) (*Server, error) {
	s, err := r.Open()
	if err != nil {
		return nil, err
	}
	way := s.transport.(*autoTransport)
	way.rest.(*restTransport).BeforeEach(func(string) { step() })
	s.transport = stepping{s.transport, step}
	return s, nil
}

// ChildEnv tells a process to configure; its value is a ChildOrder as JSON.
const ChildEnv = "PXEAGENT_PFSENSE_CHILD"

// ChildOrder is what it configures, with a journal in State.
type ChildOrder struct {
	Reach Reach
	State string
	Want  dhcp.Boot
}

// JournalKey is the journal's name.
const JournalKey = "test"

func configureAsChild(text string) error {
	var o ChildOrder
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	s, err := o.Reach.Open()
	if err != nil {
		return err
	}
	journal, err := dhcp.OpenJournal(o.State, JournalKey)
	if err != nil {
		return err
	}
	defer journal.Close()
	if _, err = (dhcp.Configure{Server: s, Journal: journal, Want: o.Want}).Run(context.Background()); errors.Is(err,
		dhcp.ErrNotProven) {
		return nil // it is not probed
	}
	return err
}

// Record is settings of network boot as a state keeps them: keys of an interface, which are put into JSON, and its
// class in Kea's custom configuration in base64, "" for none.
func Record(all any, id, custom string) ([]byte, error) {
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	var s settings
	if err := json.Unmarshal(raw, &s.keys); err != nil {
		return nil, err
	}
	s.class = firewall{KeaCustom: &custom}.class(iface{ID: id})
	return s.record()
}

// record is that of an interface without a class.
func (k keys) record() ([]byte, error) { return settings{keys: k}.record() }
