package openwrt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

const testPassword = "correct horse, battery staple"

func TestMain(m *testing.M) {
	os.Exit(dhcptest.MainRemote(m, func(at remote.Config, step func()) (dhcp.Server, error) {
		s, err := New(config(at))
		if err != nil {
			return nil, err
		}
		s.settle, s.pause = 0, time.Millisecond
		return stepping{s, step}, nil
	}))
}

// stepping may be killed after each thing that it did.
type stepping struct {
	*Server
	step func()
}

func (s stepping) Apply(ctx context.Context, p dhcp.Plan) error {
	defer s.step()
	s.client.BeforeEach(func(string) { s.step() })
	return s.Server.Apply(ctx, p)
}

func (s stepping) Revert(ctx context.Context, p dhcp.Plan) error {
	defer s.step()
	s.client.BeforeEach(func(string) { s.step() })
	return s.Server.Revert(ctx, p)
}

func config(at remote.Config) Config {
	return Config{
		Config: at, Interface: "lan", User: "pxeagent", Password: func() (string, error) { return testPassword, nil },
	}
}

// site is a stand-in router whose Dnsmasq answers on loopback.
type site struct {
	*openwrttest.Router
	t      *testing.T
	daemon *dnsmasqtest.Daemon
}

func newSite(t *testing.T, o openwrttest.Options) *site {
	t.Helper()
	s := &site{t: t}
	var err error
	if s.daemon, err = dnsmasqtest.Start("br-lan", netip.MustParseAddr("10.77.0.1")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.daemon.Close)
	if o.Users == nil {
		o.Users = []openwrttest.User{{Name: "pxeagent", Password: testPassword}}
	}
	if o.Load == nil {
		o.Load = s.daemon.Load
	}
	if s.Router, err = openwrttest.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Router.Close)
	return s
}

func (s *site) open(change ...func(*Config)) *Server {
	s.t.Helper()
	c := config(dhcptest.Reach(s))
	for _, f := range change {
		f(&c)
	}
	server, err := New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	server.settle, server.pause, server.limit = 0, time.Millisecond, 2*time.Second
	return server
}

// own is the record of our sections, others all else.
func (s *site) own() (own []byte, others []openwrttest.Section) {
	s.t.Helper()
	server := s.open()
	var mine []section
	for _, sec := range s.Sections() {
		if server.owns(sec.Name) {
			mine = append(mine, section{Name: sec.Name, Type: sec.Type, Options: sec.Options})
		} else {
			others = append(others, sec)
		}
	}
	own, err := encode(mine)
	if err != nil {
		s.t.Fatal(err)
	}
	return own, others
}

// put is what a person would write in the place of our sections.
func (s *site) put(b dhcp.Boot, note string) func([]openwrttest.Section) []openwrttest.Section {
	server := s.open()
	return func(all []openwrttest.Section) []openwrttest.Section {
		all = slices.DeleteFunc(all, func(x openwrttest.Section) bool { return server.owns(x.Name) })
		for _, sec := range server.own(b) {
			sec.Options["note"] = note
			all = append(all, openwrttest.Section{Name: sec.Name, Type: sec.Type, Options: sec.Options})
		}
		return all
	}
}

func TestConformance(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend {
		s := newSite(t, openwrttest.Options{})
		edits := 0
		return dhcptest.Backend{
			Open:  func(testing.TB) dhcp.Server { return s.open() },
			Args:  dhcptest.RemoteArgs(s),
			Wants: dhcptest.Wants(),
			EditOwn: func(_ testing.TB, edit int) {
				if s.Pending() {
					s.Steal()
				}
				s.Edit(true, s.put(dhcptest.BIOSBoot(fmt.Sprintf("10.77.0.%d", 20+edit)), fmt.Sprint(edit)))
			},
			EditOthers: func(testing.TB) {
				edits++
				s.Edit(false, func(all []openwrttest.Section) []openwrttest.Section {
					return append(all, openwrttest.Section{Name: fmt.Sprintf("host%d", edits), Type: "host",
						Options: map[string]any{"mac": "52:54:00:00:00:01"}})
				})
			},
			Own: func(testing.TB) []byte { own, _ := s.own(); return own },
			Others: func(t testing.TB) []byte {
				_, others := s.own()
				text, err := json.Marshal(others)
				if err != nil {
					t.Fatal(err)
				}
				return text
			},
			Written: func(testing.TB) string { return fmt.Sprint(s.Writes()) },
			Loaded:  func(testing.TB) string { return fmt.Sprint(s.Loads()) },
			Probe:   dhcptest.Relayed(s.daemon.Addr()),
		}
	})
}

// A password appears nowhere but in the login, and each session is ended.
func TestNoSecretAndNoSession(t *testing.T) {
	s := newSite(t, openwrttest.Options{})
	server := s.open()
	p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if !s.Pending() {
		t.Error("nothing waits to be kept")
	}
	if err := server.Keep(t.Context(), p); err != nil || s.Pending() {
		t.Fatal(err, s.Pending())
	}
	if err := server.Revert(t.Context(), p); err != nil || s.Pending() {
		t.Fatal(err, s.Pending())
	}
	if n := s.Sessions(); n != 0 {
		t.Errorf("%d sessions are open", n)
	}
	if text := fmt.Sprintf("%v %+v %#v", server, server.client, p); strings.Contains(text, testPassword) {
		t.Error(text)
	}
}
