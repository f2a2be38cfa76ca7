package main

import (
	"strings"
	"testing"

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
	const plan = "configure --dry-run --interface lan --next-server 10.77.0.5 "
	answering := func(status int) func() {
		return func() { r.Fault(func(string, string) (int, bool) { return status, false }) }
	}
	checkRemote(t, reach("openwrt", r.URL(), r.Fingerprint()), []string{password, wrongPassword}, []remoteCase{
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
		{name: "no ubus", line: plan + "--openwrt-password-file password", before: answering(404), code: "unavailable",
			say: "uhttpd-mod-ubus"},
		{name: "another product", line: plan + "--openwrt-password-file password", before: answering(418),
			code: "other-product", say: "dhcp.openwrt.url"},
	})
	if r.Writes() > 0 {
		t.Error("something was written")
	}
}
