package pihole

import (
	"encoding/json"
	"fmt"
	"net/http"
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
	"pxeagent/dnsmasq/pihole/piholetest"
)

const testPassword = "correct horse, battery staple"

func TestMain(m *testing.M) {
	os.Exit(dhcptest.MainRemote(m, func(at remote.Config, step func()) (dhcp.Server, error) {
		s, err := New(config(at))
		if err != nil {
			return nil, err
		}
		s.pause = time.Millisecond
		s.client.BeforeEach(func(method string) {
			if method != http.MethodGet { // what only reads leaves nothing behind
				step()
			}
		})
		return s, nil
	}))
}

func config(at remote.Config) Config {
	return Config{
		Config: at, Interface: "eth0", Password: func() (string, error) { return testPassword, nil },
	}
}

// site is a stand-in Pi-hole whose Dnsmasq answers on loopback.
type site struct {
	*piholetest.Pihole
	t      *testing.T
	daemon *dnsmasqtest.Daemon
}

func newSite(t *testing.T, o piholetest.Options) *site {
	t.Helper()
	s := &site{t: t}
	var err error
	if s.daemon, err = dnsmasqtest.Start("eth0", netip.MustParseAddr("10.77.0.1")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.daemon.Close)
	if o.Password == "" {
		o.Password = testPassword
	}
	if o.Load == nil {
		o.Load = s.daemon.Load
	}
	if s.Pihole, err = piholetest.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Pihole.Close)
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
	server.pause = time.Millisecond
	return server
}

// own and others are the two parts of its lines.
func (s *site) own() (own []byte, others []string) {
	s.t.Helper()
	lines := s.Config().Lines
	b := s.open().find(lines)
	if b.from < b.to {
		var err error
		if own, err = encode(lines[b.from:b.to]); err != nil {
			s.t.Fatal(err)
		}
	}
	return own, slices.Concat(lines[:b.from], lines[b.to:])
}

func TestConformance(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend {
		s := newSite(t, piholetest.Options{})
		edits := 0
		return dhcptest.Backend{
			Open:  func(testing.TB) dhcp.Server { return s.open() },
			Args:  dhcptest.RemoteArgs(s),
			Wants: dhcptest.Wants(),
			EditOwn: func(_ testing.TB, edit int) {
				server := s.open()
				s.Edit(func(c *piholetest.Config) {
					b := server.find(c.Lines)
					lines := server.lines(dhcptest.BIOSBoot(fmt.Sprintf("10.77.0.%d", 20+edit)), "server", nil)
					lines = slices.Insert(lines, 1, fmt.Sprintf("# edited by a person, time %d", edit))
					c.Lines = slices.Concat(c.Lines[:b.from], lines, c.Lines[b.to:])
				})
			},
			EditOthers: func(testing.TB) {
				edits++
				s.Save(func(c *piholetest.Config) {
					c.Lines = append([]string{fmt.Sprintf("dhcp-option=option:ntp-server,10.77.0.%d", edits)}, c.Lines...)
				})
			},
			Own: func(testing.TB) []byte { own, _ := s.own(); return own },
			Others: func(t testing.TB) []byte {
				_, others := s.own()
				c := s.Config()
				c.Lines = nil
				text, err := json.Marshal([]any{others, c})
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
	s := newSite(t, piholetest.Options{})
	server := s.open()
	p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := server.Revert(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if n := s.Sessions(); n != 0 {
		t.Errorf("%d sessions are open", n)
	}
	if text := fmt.Sprintf("%v %+v %#v", server, server.client, p); strings.Contains(text, testPassword) {
		t.Error(text)
	}
}
