package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

// Whatever is wrong with a router has a code and a hint of its own, and no output has the password.
func TestOpenWrtFromTheCommandLine(t *testing.T) {
	isolate(t)
	const password = "tr0ub4dor and three"
	r, err := openwrttest.New(openwrttest.Options{Users: []openwrttest.User{
		{Name: "pxeagent", Password: password}, {Name: "reader", Password: password, ReadOnly: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	write(t, "password", password+"\n")
	write(t, "wrong", wrongPassword+"\n")
	pin := r.Fingerprint()
	reach := []string{"--openwrt=" + r.URL().String(), "--openwrt-tls-sha256=" + hex.EncodeToString(pin[:]),
		"--state-dir=state"}
	const plan = "configure --dry-run --interface lan --next-server 10.77.0.5 "
	for _, c := range []struct {
		name, line string
		fault      int
		code, say  string
	}{
		{name: "interfaces", line: "openwrt interfaces --openwrt-password-file password", code: "done", say: "br-lan"},
		{name: "a plan", line: plan + "--openwrt-password-file password", code: "differs",
			say: "comments that somebody wrote"},
		{name: "wrong password", line: plan + "--openwrt-password-file wrong", code: "login-refused",
			say: "hint: correct it"},
		{name: "no password", line: plan, code: "usage", say: "dhcp.openwrt.password_file"},
		{name: "rights", line: plan + "--openwrt-user reader --openwrt-password-file password", code: "no-privilege",
			say: "openwrt.md"},
		{name: "network", line: strings.Replace(plan, "lan", "dmz", 1) + "--openwrt-password-file password",
			code: "no-interface", say: "pxeagent openwrt interfaces"},
		{name: "no ubus", line: plan + "--openwrt-password-file password", fault: 404, code: "unavailable",
			say: "uhttpd-mod-ubus"},
		{name: "another product", line: plan + "--openwrt-password-file password", fault: 418, code: "other-product",
			say: "dhcp.openwrt.url"},
	} {
		r.Fault(func(string, string) (int, bool) { return c.fault, false })
		var stdout, stderr bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, backends: backend.Table()}
		code := a.run(t.Context(), append(strings.Fields(c.line), reach...))
		all := stdout.String() + stderr.String()
		if code.Name != c.code || !strings.Contains(all, c.say) {
			t.Errorf("%s: %v, want %s with %q:\n%s", c.name, code, c.code, c.say, all)
		}
		if strings.Contains(all, password) || strings.Contains(all, wrongPassword) {
			t.Errorf("%s tells a password:\n%s", c.name, all)
		}
	}
	if r.Writes() > 0 {
		t.Error("something was written")
	}
}
