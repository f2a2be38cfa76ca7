package dnsmasq

import (
	"net/netip"
	"slices"
	"testing"

	"pxeagent/agent/dhcp"
)

// What is refused of this machine's Dnsmasq is refused of one elsewhere, and is said to be where a person finds it.
func TestElsewhere(t *testing.T) {
	e := Elsewhere{
		Tag: "lan", Others: []string{"opt1"}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24")},
		Lines: []Line{
			{Text: "dhcp-range=tag:lan,10.77.0.50,10.77.0.99", Where: "DHCP ranges"},
			{Text: "dhcp-match=set:a,93,7", Where: "DHCP options, first"},
		},
	}
	for _, c := range []struct {
		before, after []Line
		code, text    string
	}{
		{},
		{before: []Line{{"dhcp-boot=tag:a,x.efi", "Boot options, WLAN"}}, code: "other-boot"},
		{before: []Line{{"dhcp-boot=tag:opt1,x.efi", "Boot options, WLAN"}}},
		{after: []Line{{"dhcp-boot=tag:lan,tag:a,x.efi", "Boot options, WLAN"}}, code: "overridden",
			text: "dhcp-boot=tag:lan,tag:a,x.efi (Boot options, WLAN) is read after what pxeagent writes and wins for efi64: " +
				"remove it, or limit it to other machines by a tag"},
		{before: []Line{{"dhcp-option=67,other.0", "DHCP options"}}, code: "second-boot-file"},
		{before: []Line{{"dhcp-option=tag:opt1,67,other.0", "DHCP options"}}},
		{before: []Line{{"dhcp-ignore=tag:!known", "ignore unknown"}}, code: "only-known"},
	} {
		site := e
		site.Lines = slices.Concat(e.Lines, c.before, c.after)
		site.Before = len(e.Lines) + len(c.before)
		list, _ := site.Problems(full())
		list = slices.DeleteFunc(list, func(q dhcp.Problem) bool { return q.Code == "other-match" })
		switch {
		case c.code == "" && len(list) > 0, c.code != "" && (len(list) != 1 || list[0].Code != c.code):
			t.Errorf("%v, %v: %+v, want %q", c.before, c.after, list, c.code)
		case c.text != "" && list[0].Text != c.text:
			t.Errorf("%v, %v: %q, want %q", c.before, c.after, list[0].Text, c.text)
		}
	}
	e.Lines = e.Lines[1:]
	if list, _ := e.Problems(full()); len(list) != 2 || list[0].Code != "no-range" ||
		list[0].Text != "Dnsmasq leases no addresses in 10.77.0.0/24: no dhcp-range covers it; add one" {
		t.Errorf("without a range: %+v", list)
	}
}

// A Boot is its rules, whichever way they are written.
func TestRules(t *testing.T) {
	want := full()
	var got dhcp.Boot
	rules := Rules(want)
	for i, r := range rules {
		if r.IPXE() != (i == len(rules)-1) {
			t.Errorf("%s is rule %d of %d", r.Kind, i, len(rules))
		}
		if !slices.Contains(Kinds(), r.Kind) {
			t.Errorf("%s is missing in %q", r.Kind, Kinds())
		}
		if err := Add(&got, r.Kind, r.File, r.Server.String()); err != nil {
			t.Error(err)
		}
	}
	if got != want {
		t.Errorf("%+v", dhcp.Diff(want, got))
	}
	for _, c := range []struct{ kind, file, server string }{
		{"http-", "x", "10.77.0.7"}, {"bios", "", "10.77.0.7"}, {"bios", "x.0", "10.77.0.7"},
		{"bios", "undionly.kpxe", "::1"},
		{"bios", "undionly.kpxe", "10.77.0.8"},
	} {
		if err := Add(&got, c.kind, c.file, c.server); err == nil || got != want {
			t.Errorf("%+v: %v, %+v", c, err, dhcp.Diff(want, got))
		}
	}
}
