package main

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/dnsmasq/pihole/piholetest"
)

// The demo of each DHCP server that can be stood in for goes through: configured, proven, in sync, reverted.
func TestDemoOfOtherServers(t *testing.T) {
	t.Parallel()
	for _, name := range (&app{backends: backend.Table()}).standIns()[1:] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, logs bytes.Buffer
			if code := run([]string{"demo", "--backend", name}, &out, &logs); code != cli.Done {
				t.Fatalf("exit %v:\n%s%s", code, out.String(), logs.String())
			}
			for _, want := range []string{
				`nbp bios +\(not set\)  ->  undionly\.kpxe`, `configure +by .*: done: written, loaded and proven`,
				`check +http64 reaches the menu: offer, nbp, script`, `configure +again, by .*: in sync`,
				`revert +done: the old settings are back`,
			} {
				if !regexp.MustCompile(want).MatchString(out.String()) {
					t.Errorf("the demo does not show %s:\n%s", want, out.String())
				}
			}
		})
	}
	var out, logs bytes.Buffer
	if code := run([]string{"demo", "--backend", "x"}, &out, &logs); code != cli.Usage ||
		!strings.Contains(logs.String(), "hint: one of pfsense, ") {
		t.Errorf("exit %v:\n%s", code, logs.String())
	}
}

// Whatever is wrong with a Pi-hole has a code and a hint of its own, in one line each, and no output has the password.
func TestPiholeFromTheCommandLine(t *testing.T) {
	isolate(t)
	const password = "tr0ub4dor and three"
	p, err := piholetest.New(piholetest.Options{Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	write(t, "password", password+"\n")
	write(t, "wrong", wrongPassword+"\n")
	flags, secrets := reach("pihole", p.URL(), p.Fingerprint()), []string{password, wrongPassword}
	const plan = "configure --dry-run --interface eth0 --next-server 10.77.0.5 "
	saved := func(readOnly, environment bool) func() {
		return func() {
			p.Save(func(c *piholetest.Config) { c.ReadOnly, c.Environment = readOnly, environment })
		}
	}
	answering := func(status int) func() {
		return func() { p.Fault(func(*http.Request) (int, bool) { return status, false }) }
	}
	checkRemote(t, flags, secrets, []remoteCase{
		{name: "interfaces", line: "pihole interfaces --pihole-password-file password", code: "done", say: "10.77.0.1/24"},
		{name: "a plan", line: plan + "--pihole-password-file password", code: "differs", say: "DNS and DHCP are away"},
		{name: "wrong password", line: plan + "--pihole-password-file wrong", code: "login-refused", say: "hint: correct it"},
		{name: "again", line: plan + "--pihole-password-file wrong", code: "login-refused", say: "--retry-auth"},
		{name: "no password", line: plan, code: "usage", say: "dhcp.pihole.password_file"},
		{name: "device", line: strings.Replace(plan, "eth0", "eth7", 1) + "--pihole-password-file password",
			code: "no-interface", say: "pxeagent pihole interfaces"},
		{name: "read-only", line: plan + "--pihole-password-file password", before: saved(true, false), code: "read-only",
			say: "misc.readOnly"},
		{name: "environment", line: plan + "--pihole-password-file password", before: saved(false, true),
			code: "read-only", say: "FTLCONF_misc_dnsmasq_lines"},
		{name: "another product", line: plan + "--pihole-password-file password", before: answering(404),
			code: "other-product", say: "dhcp.pihole.url"},
		{name: "gateway", line: plan + "--pihole-password-file password", before: answering(502), code: "unavailable"},
	})
	if p.Writes() > 0 {
		t.Error("something was written")
	}
	answering(0)()
	if err := p.RenewCertificate(); err != nil {
		t.Fatal(err)
	}
	checkRemote(t, flags, secrets, []remoteCase{
		{name: "a renewed certificate", line: "pihole interfaces --pihole-password-file password",
			code: backend.CertificateChanged.Name, say: "webserver.tls.validity"},
	})
}
