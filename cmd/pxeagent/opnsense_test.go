package main

import (
	"net/http"
	"strings"
	"testing"

	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// opnSenseSite is a stand-in firewall, and what pxeagent needs to reach it.
type opnSenseSite struct {
	*opnsensetest.Firewall
	t       *testing.T
	flags   []string
	secrets []string
}

func newOPNsenseSite(t *testing.T, o opnsensetest.Options) opnSenseSite {
	t.Helper()
	isolate(t)
	fw, err := opnsensetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fw.Close)
	write(t, "key", opnsensetest.Key)
	write(t, "wrong", "key=wrong\nsecret="+wrongPassword+"\n")
	s := opnSenseSite{Firewall: fw, t: t, flags: reach("opnsense", fw.URL(), fw.Fingerprint()),
		secrets: []string{wrongPassword}}
	for line := range strings.Lines(opnsensetest.Key) {
		_, secret, _ := strings.Cut(strings.TrimSpace(line), "=")
		s.secrets = append(s.secrets, secret)
	}
	return s
}

func (s opnSenseSite) check(cases ...remoteCase) {
	s.t.Helper()
	checkRemote(s.t, s.flags, s.secrets, cases)
}

const (
	opnSensePlan      = "configure --dry-run --interface lan --next-server 10.77.0.5 --opnsense-key-file key "
	opnSenseConfigure = "configure --not-serving-yet --interface lan --next-server 10.77.0.5 --opnsense-key-file key "
)

// Whatever is wrong with an OPNsense has a code and a hint of its own, no output has the key, and nothing is written.
func TestOPNsenseFromTheCommandLine(t *testing.T) {
	s := newOPNsenseSite(t, opnsensetest.Options{})
	write(t, "short", "justonekey\n")
	answering := func(status int, body string) func() {
		return func() {
			s.Fault(func(int, *http.Request) opnsensetest.Fault { return opnsensetest.Fault{Status: status, Body: body} })
		}
	}
	edit := func(edit func(*opnsensetest.Dnsmasq)) func() {
		return func() {
			conf := opnsensetest.Default()
			s.Fault(nil)
			s.Edit(func(c *opnsensetest.Config) {
				*c = conf
				edit(&c.Dnsmasq)
			})
		}
	}
	s.check(
		remoteCase{name: "interfaces", line: "opnsense interfaces --opnsense-key-file key", code: "done",
			say: "10.77.0.0/24"},
		remoteCase{name: "a plan", line: opnSensePlan, code: "differs", say: "whatever else somebody saved"},
		remoteCase{name: "by description", line: strings.Replace(opnSensePlan, "lan", "LAN", 1), code: "differs"},
		remoteCase{name: "no key", line: strings.Replace(opnSensePlan, "--opnsense-key-file key", "", 1), code: "usage",
			say: "dhcp.opnsense.key_file"},
		remoteCase{name: "no such interface", line: strings.Replace(opnSensePlan, "lan", "dmz", 1), code: "no-interface",
			say: "pxeagent opnsense interfaces"},
		remoteCase{name: "half a key", line: "opnsense interfaces --opnsense-key-file short", code: "usage",
			say: "hint: give the file as OPNsense gave it"},
		remoteCase{name: "wrong server", line: opnSensePlan + "--opnsense-server isc", code: "usage", say: "kea"},

		remoteCase{name: "wrong key", line: "opnsense interfaces --opnsense-key-file wrong", code: "login-refused",
			say: "make a new key"},
		remoteCase{name: "again", line: "opnsense interfaces --opnsense-key-file wrong", code: "login-refused",
			say: "--retry-auth"},
		remoteCase{name: "another product", line: opnSensePlan, before: answering(200, "<html>"), code: "other-product",
			say: "dhcp.opnsense.url"},
		remoteCase{name: "API off", line: opnSensePlan, before: answering(404, `{"errorMessage":"Endpoint not found"}`),
			code: "no-such-api", say: "25.7"},
		remoteCase{name: "gateway", line: opnSensePlan, before: answering(502, ""), code: "unavailable", say: "web server"},
		remoteCase{name: "PHP error", line: opnSensePlan, code: "server-error", say: "System > Log Files",
			before: answering(500, `{"errorMessage":"Unexpected error, check log for details"}`)},

		remoteCase{name: "DHCP off", line: opnSensePlan, code: "dhcp-off", say: "hint: turn a DHCP server on",
			before: edit(func(d *opnsensetest.Dnsmasq) { d.Enable = false })},
		remoteCase{name: "no range", line: opnSensePlan, code: "no-dhcp", say: "DHCP ranges",
			before: edit(func(d *opnsensetest.Dnsmasq) { d.Ranges = nil })},
		remoteCase{name: "Kea is meant", line: opnSensePlan + "--opnsense-server kea", code: "other-dhcp-server",
			say: "hint: set dhcp.opnsense.server", before: edit(func(*opnsensetest.Dnsmasq) {})},
		remoteCase{name: "Kea is there instead", line: opnSensePlan + "--opnsense-server dnsmasq", code: "other-dhcp-server",
			say: "Kea and not Dnsmasq leases addresses on lan", before: func() {
				edit(func(d *opnsensetest.Dnsmasq) { d.Ranges = nil })()
				s.Edit(func(c *opnsensetest.Config) { c.Kea.Enabled, c.Kea.Interfaces = true, []string{"lan"} })
			}},
		remoteCase{name: "the backup of a pair", line: opnSensePlan, code: "ha-secondary", say: "hint: name the primary",
			before: func() {
				edit(func(*opnsensetest.Dnsmasq) {})()
				s.Fault(func(_ int, r *http.Request) (f opnsensetest.Fault) {
					if r.URL.Path == "/api/interfaces/overview/export" {
						f = opnsensetest.Fault{Status: 200, Body: `[{"identifier":"lan","ipv4":[{"ipaddr":"10.77.0.1/24"},` +
							`{"ipaddr":"10.77.0.3/24","vhid":"1","status":"backup"}]}]`}
					}
					return f
				})
			}},
		remoteCase{name: "our tag's name", line: opnSensePlan, code: "refused", say: "hint: rename or delete the tag",
			before: edit(func(d *opnsensetest.Dnsmasq) {
				d.Tags = []opnsensetest.Tag{{UUID: "97d4bb3b-e4de-4c69-8c87-7b3144975998", Tag: "pxeagentlanbios"}}
			})},
		remoteCase{name: "a quote", line: opnSensePlan, code: "refused", say: "hint: correct or delete the entry",
			before: edit(func(d *opnsensetest.Dnsmasq) {
				d.Boots = []opnsensetest.Boot{{UUID: "97d4bb3b-e4de-4c69-8c87-7b3144975998", Filename: `a"b`}}
			})},
		remoteCase{name: "switched off", line: opnSensePlan, before: s.PowerOff, code: "unreachable",
			say: "dhcp.opnsense.url"},
	)
	s.Fault(nil)
	if err := s.PowerOn(); err != nil {
		t.Fatal(err)
	}
	loads := s.Loads()
	checkRemote(t, []string{"--opnsense=" + s.URL().String(), "--state-dir=state"}, s.secrets, []remoteCase{
		{name: "self-signed certificate", line: opnSensePlan, code: "certificate",
			say: "hint: pin it: `pxeagent opnsense trust URL`"},
		{name: "another certificate", code: "certificate", say: "somebody else answers in its place",
			line: opnSensePlan + "--opnsense-tls-sha256=" + strings.Repeat("00", 32)},
	})
	if s.Writes() > 0 || s.Loads() > loads {
		t.Errorf("%d writes, %d restarts", s.Writes(), s.Loads())
	}
	if s.Refused() != 1 {
		t.Errorf("a wrong key was sent %d times", s.Refused())
	}
}

// So has what its user may not do.
func TestOPNsenseRights(t *testing.T) {
	for _, c := range []struct {
		options opnsensetest.Options
		line    string
		code    string
		say     string
	}{
		{opnsensetest.Options{Privileges: []string{}}, opnSensePlan, "no-privilege", "page-services-dnsforwarder"},
		{opnsensetest.Options{Privileges: []string{}}, opnSensePlan, "no-privilege", "hint: give it to a group"},
		{opnsensetest.Options{Privileges: []string{opnsensetest.PrivilegeDnsmasq}}, opnSensePlan, "differs",
			"configure the primary only"},
		{opnsensetest.Options{ReadOnly: true}, opnSenseConfigure, "read-only", "user-config-readonly"},
		{opnsensetest.Options{Version: "25.1.6"}, opnSensePlan, "no-such-api", "25.7"},
	} {
		t.Run(c.code, func(t *testing.T) {
			s := newOPNsenseSite(t, c.options)
			s.check(remoteCase{name: c.code, line: c.line, code: c.code, say: c.say})
			if s.Writes() > 0 {
				t.Error("something was written")
			}
		})
	}
}

// nth has f said of the nth request that changes an entry, after do has happened.
func nth(n int, f opnsensetest.Fault, do func(opnSenseSite)) func(opnSenseSite) {
	return func(s opnSenseSite) {
		seen := 0
		s.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
			if r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/settings/") {
				return opnsensetest.Fault{}
			}
			if seen++; seen != n {
				return opnsensetest.Fault{}
			}
			if do != nil {
				do(s)
			}
			return f
		})
	}
}

// And what happens while it is written: nothing is lost, and the entries from before are back where it did not work.
func TestOPNsenseFailsInTheMiddle(t *testing.T) {
	on := func(s opnSenseSite) {
		if err := s.PowerOn(); err != nil {
			t.Error(err)
		}
	}
	rejected := `{"result":"failed","validations":{"option.value":"Text does not validate."}}`
	for _, c := range []struct {
		name, code, say string
		before          func(opnSenseSite)
		heal            func(opnSenseSite)
	}{
		{name: "restart fails", code: "restart-failed", say: "hint: Services > Dnsmasq DNS & DHCP",
			before: func(s opnSenseSite) { s.Break(true) }, heal: func(s opnSenseSite) { s.Break(false) }},
		{name: "a value is rejected", code: "settings-rejected", say: "hint: the text in it is the firewall's own",
			before: nth(4, opnsensetest.Fault{Status: 200, Body: rejected}, nil)},
		{name: "a connection is cut", code: "put-back", say: "hint: if it was cut in the middle, run it again",
			before: nth(4, opnsensetest.Fault{Cut: true}, nil)},
		{name: "it goes off", code: "revert-failed", say: "hint: do that first",
			before: nth(4, opnsensetest.Fault{}, func(s opnSenseSite) { s.PowerOff() }), heal: on},
		{name: "it reboots", code: "not-proven", say: "the settings were written", before: func(s opnSenseSite) {
			s.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/restart") {
					s.PowerOff()
					on(s)
				}
				return opnsensetest.Fault{}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newOPNsenseSite(t, opnsensetest.Options{})
			c.before(s)
			s.check(remoteCase{name: c.name, line: opnSenseConfigure, code: c.code, say: c.say})
			s.Fault(nil)
			if c.heal != nil {
				c.heal(s)
			}
			s.check(
				remoteCase{name: "once more", line: opnSenseConfigure, code: "not-proven"},
				remoteCase{name: "undone", line: "revert --interface lan --opnsense-key-file key", code: "not-proven"},
			)
			if d := s.Config().Dnsmasq; len(d.Tags)+len(d.Options)+len(d.Boots) > 0 || !s.Running() {
				t.Errorf("after the revert: %+v; running: %t", d, s.Running())
			}
		})
	}
}

// Who edits pxeagent's entries meanwhile is not overruled: before the first write nothing is written, and in the middle
// the journal keeps what was there before.
func TestOPNsenseEditedMeanwhile(t *testing.T) {
	edited := func(s opnSenseSite) {
		s.Edit(func(c *opnsensetest.Config) { c.Dnsmasq.Options[0].Value = "77" })
	}
	kept := func(s opnSenseSite) {
		t.Helper()
		s.Fault(nil)
		if got := s.Config().Dnsmasq.Options[0].Value; got != "77" {
			t.Errorf("the edited entry says %q", got)
		}
	}
	s := newOPNsenseSite(t, opnsensetest.Options{})
	s.check(remoteCase{name: "configure", line: opnSenseConfigure, code: "not-proven"})
	writes, reads := s.Writes(), 0
	s.Fault(func(_ int, r *http.Request) opnsensetest.Fault {
		if strings.HasSuffix(r.URL.Path, "/searchOption") {
			if reads++; reads == 2 { // the first is for the plan
				edited(s)
			}
		}
		return opnsensetest.Fault{}
	})
	s.check(remoteCase{name: "before the first write", line: opnSenseConfigure + "--next-server 10.77.0.8 ",
		code: "changed", say: "changed by someone else"})
	if s.Writes() != writes {
		t.Errorf("%d writes", s.Writes()-writes)
	}
	kept(s)

	s = newOPNsenseSite(t, opnsensetest.Options{})
	nth(16, opnsensetest.Fault{}, edited)(s)
	s.check(remoteCase{name: "in the middle", line: opnSenseConfigure, code: "changed",
		say: "hint: `pxeagent revert --discard-later-changes`"})
	kept(s)
	s.check(remoteCase{name: "undone", line: "revert --discard-later-changes --interface lan --opnsense-key-file key",
		code: "not-proven"})
	if d := s.Config().Dnsmasq; len(d.Tags)+len(d.Options)+len(d.Boots) > 0 {
		t.Errorf("after the revert: %+v", d)
	}
}
