package pihole

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/dnsmasq"
	"pxeagent/dnsmasq/pihole/piholetest"
)

// Each thing that can be wrong is an error of its own, and nothing is lost by it.
func TestErrors(t *testing.T) {
	patched := func(status int, drop bool) func(*http.Request) (int, bool) {
		return func(r *http.Request) (int, bool) {
			if r.Method == http.MethodPatch {
				return status, drop
			}
			return 0, false
		}
	}
	for _, c := range []struct {
		name   string
		site   piholetest.Options
		config func(*piholetest.Config)
		open   func(*Config)
		fault  func(*http.Request) (int, bool)
		want   error
		text   string
	}{
		{name: "wrong password", open: func(c *Config) { c.Password = say("wrong") }, want: remote.ErrCredential,
			text: `"password incorrect"`},
		{name: "no password", open: func(c *Config) { c.Password = nil }, want: remote.ErrNoCredential},
		{name: "second factor", site: piholetest.Options{TOTP: true}, want: ErrSecondFactor},
		{name: "app password without app_sudo", site: piholetest.Options{App: "xyzzy"},
			open: func(c *Config) { c.Password = say("xyzzy") }, config: func(c *piholetest.Config) { c.AppSudo = false },
			want: ErrNotPermitted, text: "webserver.api.app_sudo is false"},
		{name: "no such device", open: func(c *Config) { c.Interface = "eth7" }, want: ErrNoInterface,
			text: "eth7 (found eth0, eth1)"},
		{name: "another certificate", open: func(c *Config) { c.TLSSHA256 = &[32]byte{} }, want: remote.ErrTLS},
		{name: "another product", fault: func(*http.Request) (int, bool) { return 404, false }, want: remote.ErrOther},
		{name: "a proxy without Pi-hole", fault: func(*http.Request) (int, bool) { return 502, false },
			want: remote.ErrGateway},
		{name: "the answer is lost", fault: patched(0, true), want: remote.ErrUnreachable},
		{name: "somebody's line is broken", config: func(c *piholetest.Config) { c.Lines = append(c.Lines, `server="x`) },
			want: ErrRejected, text: `missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.site)
			if c.config != nil {
				s.Save(c.config)
			}
			before := s.Config()
			s.Fault(c.fault)
			open := []func(*Config){}
			if c.open != nil {
				open = append(open, c.open)
			}
			server := s.open(open...)
			p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
			if err == nil {
				err = server.Apply(t.Context(), p)
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %v with %q", err, c.want, c.text)
			}
			if strings.Contains(err.Error(), testPassword) {
				t.Errorf("the error tells the password: %v", err)
			}
			if got := s.Config(); c.name != "the answer is lost" && !slices.Equal(got.Lines, before.Lines) {
				t.Errorf("lines are %q, were %q", got.Lines, before.Lines)
			}
			if s.Sessions() > 0 && c.name != "the answer is lost" {
				t.Errorf("%d sessions are open", s.Sessions())
			}
		})
	}
}

func say(text string) func() (string, error) { return func() (string, error) { return text, nil } }

// A rejected password is not sent again until it changes: Pi-hole counts.
func TestRejectedPasswordIsNotRetried(t *testing.T) {
	s := newSite(t, piholetest.Options{})
	dir := t.TempDir()
	wrong := func(c *Config) { c.Password, c.StateDir = say("wrong"), dir }
	for i, want := range []error{remote.ErrCredential, remote.ErrNotSent} {
		if _, err := s.open(wrong).Plan(t.Context(), dhcp.Boot{}); !errors.Is(err, want) {
			t.Errorf("time %d: %v, want %v", i, err, want)
		}
	}
	if n := s.Refused(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if _, err := s.open(func(c *Config) { c.StateDir = dir }).Plan(t.Context(), dhcp.Boot{}); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// A plan that Pi-hole would not carry out is refused before anything is written.
func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct {
		code   string
		config func(*piholetest.Config)
		mode   dnsmasq.Mode
	}{
		{code: "read-only", config: func(c *piholetest.Config) { c.ReadOnly = true }},
		{code: "environment", config: func(c *piholetest.Config) { c.Environment = true }},
		{code: "no-range", config: func(c *piholetest.Config) { c.Active = false }},
		{code: "leases-here", mode: dnsmasq.ModeProxy},
		{code: "only-known", config: func(c *piholetest.Config) { c.IgnoreUnknown = true }},
		{code: "overridden", config: func(c *piholetest.Config) {
			c.Lines = []string{"# pxeagent eth0: begin", "# pxeagent eth0: end", "dhcp-match=set:a,93,0", "dhcp-boot=tag:a,x.0"}
		}},
		{code: "second-boot-file", config: func(c *piholetest.Config) { c.Lines = []string{"dhcp-option=67,x.0"} }},
		{code: "boot-menu", config: func(c *piholetest.Config) { c.Lines = []string{"pxe-service=x86PC,Menu,x"} }},
		{code: "not-served", config: func(c *piholetest.Config) { c.Listening, c.Interface = "SINGLE", "eth1" }},
	} {
		s := newSite(t, piholetest.Options{})
		if c.config != nil {
			s.Save(c.config)
		}
		p, err := s.open(func(cfg *Config) { cfg.Mode = c.mode }).Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
		if err != nil {
			t.Fatal(err)
		}
		if q, refused := p.Refused(); !refused || q.Code != c.code {
			t.Errorf("%s: %+v", c.code, p.Problems)
		}
		if s.Writes() > 0 {
			t.Errorf("%s: a plan wrote", c.code)
		}
	}
	s := newSite(t, piholetest.Options{})
	s.Save(func(c *piholetest.Config) { c.Active = false })
	server := s.open(func(cfg *Config) { cfg.Mode = dnsmasq.ModeProxy })
	p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
	if q, refused := p.Refused(); err != nil || refused {
		t.Errorf("a proxy beside another server: %v, %+v", err, q)
	}
}

// A Dnsmasq that does not run with the new lines is given the old ones again: Pi-hole's API stays up without it.
func TestDnsmasqDoesNotStart(t *testing.T) {
	loads := 0
	s := newSite(t, piholetest.Options{Load: func(conf string) error {
		if loads++; strings.Contains(conf, "pxeagent") {
			return errors.New("failed to bind DHCP server socket: Address already in use")
		}
		return nil
	}})
	before := s.Config().Lines
	server := s.open()
	p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
	if err != nil {
		t.Fatal(err)
	}
	err = server.Apply(t.Context(), p)
	if !errors.Is(err, dhcp.ErrReload) || !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("%v", err)
	}
	if got := s.Config().Lines; !slices.Equal(got, before) {
		t.Errorf("%q, was %q", got, before)
	}
}

// FTL is away while it restarts, and may have forgotten the session after it.
func TestRestartTakesTime(t *testing.T) {
	s := newSite(t, piholetest.Options{})
	away := 0
	s.Fault(func(r *http.Request) (int, bool) {
		if r.Method == http.MethodPatch {
			away = 5
		} else if away > 0 {
			if away--; away == 0 {
				s.Forget()
			}
			return 503, false
		}
		return 0, false
	})
	server := s.open()
	p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Apply(t.Context(), p); err != nil {
		t.Error(err)
	}
	server.limit = 20 * time.Millisecond
	written := false
	s.Fault(func(r *http.Request) (int, bool) {
		written = written || r.Method == http.MethodPatch
		if written && r.URL.Path == "/api/info/ftl" {
			return 503, false
		}
		return 0, false
	})
	if err := server.Revert(t.Context(), p); !errors.Is(err, ErrStopped) {
		t.Errorf("an FTL that does not come back: %v", err)
	}
}

// Somebody edits pxeagent's lines while Pi-hole restarts with them: the journal still says that something was written.
func TestEditedWhileItRestarts(t *testing.T) {
	s := newSite(t, piholetest.Options{})
	j, err := dhcp.OpenJournal(t.TempDir(), "pihole")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	s.Fault(func(r *http.Request) (int, bool) {
		if r.URL.Path == "/api/dns/blocking" {
			s.Save(func(c *piholetest.Config) {
				for i, l := range c.Lines {
					c.Lines[i] = strings.ReplaceAll(l, "undionly.kpxe", "other.kpxe")
				}
			})
		}
		return 0, false
	})
	_, err = dhcp.Configure{Server: s.open(), Want: dhcptest.FullBoot("10.77.0.5"), Journal: j}.Run(t.Context())
	if !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("configure: %v", err)
	}
	s.Fault(nil)
	_, err = dhcp.Revert{Server: s.open(), Journal: j, DiscardLaterChanges: true}.Run(t.Context())
	if own, _ := s.own(); !errors.Is(err, dhcp.ErrNotProven) || own != nil {
		t.Errorf("revert: %v, %s", err, own)
	}
}
