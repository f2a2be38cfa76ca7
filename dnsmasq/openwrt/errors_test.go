package openwrt

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

// Each thing that can be wrong is an error of its own, and nothing is lost by it.
func TestErrors(t *testing.T) {
	on := func(name string, status int, drop bool) func(string, string) (int, bool) {
		return func(object, method string) (int, bool) {
			if object+" "+method == name {
				return status, drop
			}
			return 0, false
		}
	}
	for _, c := range []struct {
		name  string
		site  openwrttest.Options
		open  func(*Config)
		fault func(object, method string) (int, bool)
		want  error
		text  string
	}{
		{name: "wrong password", open: func(c *Config) { c.Password = say("wrong") }, want: remote.ErrCredential,
			text: `user "pxeagent"`},
		{name: "no password", open: func(c *Config) { c.Password = nil }, want: remote.ErrNoCredential},
		{name: "read only", site: openwrttest.Options{Users: []openwrttest.User{
			{Name: "pxeagent", Password: testPassword, ReadOnly: true}}}, want: remote.ErrPrivilege,
			text: `lacks uci add, uci apply, uci confirm, uci delete, uci dhcp write, uci revert, uci rollback`},
		{name: "no such network", open: func(c *Config) { c.Interface = "dmz" }, want: ErrNoNetwork,
			text: "dmz (found lan, guest)"},
		{name: "another certificate", open: func(c *Config) { c.TLSSHA256 = &[32]byte{} }, want: remote.ErrTLS},
		{name: "no ubus", fault: on("session login", 404, false), want: ErrNoUbus},
		{name: "a proxy without the router", fault: on("uci get", 502, false), want: remote.ErrGateway},
		{name: "another product", fault: on("session login", 418, false), want: remote.ErrOther},
		{name: "the answer to apply is lost", fault: on("uci apply", 0, true), want: remote.ErrUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.site)
			before := s.Sections()
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
			if s.Pending() { // whose answer was lost: the router undoes it
				s.Expire()
			}
			if got := s.Sections(); !reflect.DeepEqual(got, before) {
				t.Errorf("sections are %+v", got)
			}
		})
	}
}

func say(text string) func() (string, error) { return func() (string, error) { return text, nil } }

// A plan that the router would not carry out is refused before anything is written.
func TestPlanRefuses(t *testing.T) {
	set := func(name, option string, value any) func([]openwrttest.Section) []openwrttest.Section {
		return func(all []openwrttest.Section) []openwrttest.Section {
			for _, s := range all {
				if s.Name == name {
					s.Options[option] = value
				}
			}
			return all
		}
	}
	add := func(kind string, options map[string]any) func([]openwrttest.Section) []openwrttest.Section {
		return func(all []openwrttest.Section) []openwrttest.Section {
			return append(all, openwrttest.Section{Name: "theirs" + kind, Type: kind, Options: options})
		}
	}
	for _, c := range []struct {
		code    string
		edit    func([]openwrttest.Section) []openwrttest.Section
		version string
		after   bool // it is edited when pxeagent's sections are there
	}{
		{code: "dhcp-off", edit: set("lan", "ignore", "1")},
		{code: "dhcp-off", edit: set("lan", "dhcpv4", "disabled")},
		{code: "dhcp-off", edit: set("lan", "dhcpv4", ""), version: "25.12.0"},
		{code: "dhcp-off", edit: set("lan", "dhcpv4", ""), version: "SNAPSHOT"},
		{code: "", edit: set("lan", "dhcpv4", ""), version: "23.05.4"},
		{code: "no-dhcp", edit: set("lan", "interface", "other")},
		{code: "odhcpd", edit: add("odhcpd", map[string]any{"maindhcp": "1"})},
		{code: "second-boot-file", edit: set("lan", "dhcp_option", []any{"67,other.0"})},
		{code: "", edit: set("guest", "dhcp_option", []any{"67,other.0"})},
		{code: "boot-menu", edit: set("cfg01411c", "pxe_service", []any{"x86PC,Menu,x"})},
		{code: "", edit: add("boot", map[string]any{"networkid": "lan", "filename": "x.0", "servername": "a"})},
		{code: "overridden", edit: add("boot", map[string]any{"networkid": "lan", "filename": "x.0", "servername": "a"}),
			after: true},
	} {
		s := newSite(t, openwrttest.Options{Version: c.version})
		server := s.open()
		if c.after {
			p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
			if err == nil {
				err = errors.Join(server.Apply(t.Context(), p), server.Keep(t.Context(), p))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Edit(false, c.edit)
		writes := s.Writes()
		p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
		if err != nil {
			t.Fatal(err)
		}
		if q, refused := p.Refused(); refused != (c.code != "") || q.Code != c.code {
			t.Errorf("%q: %+v", c.code, p.Problems)
		}
		if s.Writes() > writes {
			t.Errorf("%s: a plan wrote", c.code)
		}
	}
}

// A Dnsmasq that does not run with the new sections is given the old file again at once.
func TestDnsmasqDoesNotStart(t *testing.T) {
	s := newSite(t, openwrttest.Options{Load: func(conf string) error {
		if strings.Contains(conf, "pxeagent") {
			return errors.New("it does not start")
		}
		return nil
	}})
	before := s.Sections()
	server := s.open()
	p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
	if err != nil {
		t.Fatal(err)
	}
	server.limit = 50_000_000
	if err := server.Apply(t.Context(), p); !errors.Is(err, dhcp.ErrReload) || !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
	if got := s.Sections(); !reflect.DeepEqual(got, before) || s.Pending() {
		t.Errorf("%+v", got)
	}
}

// Of a run that was killed the router puts the old settings back by itself.
func TestTheRouterUndoesWhatIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		between func(*site)
		kept    bool
	}{
		"in time":                    {func(*site) {}, true},
		"its time is over":           {func(s *site) { s.Expire() }, false},
		"somebody applied meanwhile": {func(s *site) { s.Steal() }, true}, // which leaves it there, unconfirmed
	} {
		s := newSite(t, openwrttest.Options{})
		before := s.Sections()
		server := s.open()
		p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
		if err == nil {
			err = server.Apply(t.Context(), p)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.between(s)
		// Another process keeps it, which is given the same session.
		if err := s.open().Keep(t.Context(), p); (err == nil) != c.kept {
			t.Errorf("%s: %v", name, err)
		}
		if got := s.Sections(); reflect.DeepEqual(got, before) == c.kept || s.Pending() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Every section but ours is there afterwards, as it was.
func TestOthersSectionsAreUntouched(t *testing.T) {
	s := newSite(t, openwrttest.Options{})
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	for n := range rounds {
		var some []openwrttest.Section
		for i := range n % 7 {
			kind := []string{"host", "boot", "tag", "match", "domain", "mac", "relay"}[(n+i)%7]
			some = append(some, openwrttest.Section{Name: "x" + strings.Repeat("y", i), Type: kind,
				Options: map[string]any{"networkid": "n", "list": []any{"a", "b"}, "text": "with 'quotes'"}})
		}
		s.Edit(true, func([]openwrttest.Section) []openwrttest.Section { return slices.Concat(openwrttest.Default(), some) })
		before := s.Sections()
		server := s.open()
		p, err := server.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
		if err == nil {
			err = server.Apply(t.Context(), p)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, others := s.own(); !reflect.DeepEqual(others, before) {
			t.Fatalf("%+v, was %+v", others, before)
		}
		if n%2 == 0 {
			if err := server.Keep(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Revert(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := s.Sections(); !reflect.DeepEqual(got, before) {
			t.Fatalf("%+v, was %+v", got, before)
		}
	}
}
