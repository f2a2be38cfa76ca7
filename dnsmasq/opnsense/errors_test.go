package opnsense

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// Each thing that can be wrong is an error of its own, which has neither key nor secret, and nothing is lost by it.
func TestErrors(t *testing.T) {
	answer := func(action string, f opnsensetest.Fault) func(int, *http.Request) opnsensetest.Fault {
		return func(_ int, r *http.Request) (wrong opnsensetest.Fault) {
			if strings.Contains(r.URL.Path, action) {
				wrong = f
			}
			return wrong
		}
	}
	say := func(text string) func(*Config) {
		return func(c *Config) { c.Credential = func() (string, error) { return text, nil } }
	}
	for _, c := range []struct {
		name    string
		site    opnsensetest.Options
		open    func(*Config)
		fault   func(int, *http.Request) opnsensetest.Fault
		want    error
		text    string
		written bool // what was written before it is still there
	}{
		{name: "wrong secret", open: say("key=" + testKey + "\nsecret=" + testSecret), want: remote.ErrCredential,
			text: "Authentication Failed"},
		{name: "no key", open: func(c *Config) { c.Credential = nil }, want: remote.ErrNoCredential},
		{name: "no right", site: opnsensetest.Options{Privileges: []string{}}, want: remote.ErrPrivilege,
			text: "page-services-dnsforwarder"},
		{name: "only kea's right", site: opnsensetest.Options{Privileges: []string{opnsensetest.PrivilegeKea}},
			open: func(c *Config) { c.Daemon = Dnsmasq }, want: remote.ErrPrivilege, text: "page-services-dnsforwarder"},
		{name: "read-only", site: opnsensetest.Options{ReadOnly: true}, want: ErrReadOnly},
		{name: "no such interface", open: func(c *Config) { c.Interface = "opt7" }, want: ErrNoInterface,
			text: "opt7 (found lan (LAN), "},
		{name: "25.1.8", site: opnsensetest.Options{Version: "25.1.8"}, want: ErrNoAPI, text: "update it to 25.7 or later"},
		{name: "25.1.6", site: opnsensetest.Options{Version: "25.1.6"}, want: ErrNoAPI, text: "25.7 or later"},
		{name: "another certificate", open: func(c *Config) { c.TLSSHA256 = &[32]byte{} }, want: remote.ErrTLS},
		{name: "no TLS", open: func(c *Config) { c.URL = &url.URL{Scheme: "http", Host: c.URL.Host} },
			want: remote.ErrOther},
		{name: "another product", fault: answer("/", opnsensetest.Fault{Status: 200, Body: "<html>router</html>"}),
			want: remote.ErrOther, text: "invalid character '<'"},
		{name: "another product's JSON", fault: answer("/", opnsensetest.Fault{Status: 200, Body: `{"a": 1}`}),
			want: remote.ErrOther, text: "has no settings of Dnsmasq"},
		{name: "a proxy without a firewall", fault: answer("/", opnsensetest.Fault{Status: 502, Body: "x"}),
			want: remote.ErrGateway},
		{name: "a value is rejected", fault: answer("setBoot", opnsensetest.Fault{Status: 200,
			Body: `{"result":"failed","validations":{"boot.filename":"Text does not validate."}}`}), want: ErrValidation,
			text: "boot.filename: Text does not validate."},
		{name: "PHP falls over", fault: answer("setBoot", opnsensetest.Fault{Status: 500,
			Body: `{"errorMessage":"Unexpected error, check log for details"}`}), want: ErrAPI, text: "check log"},
		{name: "the answer is lost", fault: answer("setTag", opnsensetest.Fault{Lost: true}), want: remote.ErrUnreachable,
			written: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			open := []func(*Config){}
			if c.open != nil {
				open = append(open, c.open)
			}
			f, s := stand(t, c.site, open...)
			others, ours := othersOf(f), oursOf(f)
			f.Fault(c.fault)
			p, err := s.Plan(t.Context(), dhcptest.FullBoot("10.77.0.5"))
			if err == nil {
				err = s.Apply(t.Context(), p)
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%v, want %v with %q", err, c.want, c.text)
			}
			_, secret, _ := ParseKey(opnsensetest.Key)
			for _, no := range []string{testKey, testSecret, secret, "\n"} {
				if strings.Contains(err.Error(), no) {
					t.Errorf("the error has a secret: %v", err)
				}
			}
			if now := othersOf(f); string(now) != string(others) {
				t.Errorf("others' are\n%s\nthey were\n%s", now, others)
			}
			if now := oursOf(f); !c.written && !slices.Equal(now, ours) {
				t.Errorf("pxeagent's are\n%s\nthey were\n%s", now, ours)
			}
			if f.Loads() > 0 {
				t.Errorf("it was restarted %d times", f.Loads())
			}
		})
	}
}

// A rejected key is not sent again until it changes.
func TestRejectedKeyIsNotRetried(t *testing.T) {
	dir := t.TempDir()
	f, s := stand(t, opnsensetest.Options{}, func(c *Config) {
		c.StateDir = dir
		c.Credential = func() (string, error) { return testKey + "\n" + testSecret, nil }
	})
	for i, want := range []error{remote.ErrCredential, remote.ErrNotSent} {
		if _, err := s.Plan(t.Context(), dhcp.Boot{}); !errors.Is(err, want) {
			t.Errorf("time %d: %v, want %v", i, err, want)
		}
	}
	if n := f.Refused(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	s.cfg.Credential = func() (string, error) { return opnsensetest.Key, nil }
	if _, err := s.Plan(t.Context(), dhcp.Boot{}); err != nil {
		t.Errorf("the right one: %v", err)
	}
}
