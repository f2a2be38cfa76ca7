package dnsmasq

import (
	"slices"
	"testing"
)

func TestLines(t *testing.T) {
	for _, c := range []struct {
		raw, name, value string
		fields           []string
		broken           bool
	}{
		{raw: ""},
		{raw: "   # only a comment"},
		{raw: "no-ping", name: "no-ping"},
		{raw: "  dhcp-boot = tag:a , b ,, 10.0.0.1  # why", name: "dhcp-boot", value: "tag:a , b ,, 10.0.0.1",
			fields: []string{"tag:a", "b", "", "10.0.0.1"}},
		{raw: "address=/x#y/10.0.0.1", name: "address", value: "/x#y/10.0.0.1", fields: []string{"/x#y/10.0.0.1"}},
		{raw: `pxe-prompt="Press F8, now # yes",5`, name: "pxe-prompt", value: "Press F8, now # yes,5",
			fields: []string{"Press F8, now # yes", "5"}},
		{raw: `txt-record=x,"a\"b\\c\td"`, name: "txt-record", value: "x,a\"b\\c\td", fields: []string{"x", "a\"b\\c\td"}},
		{raw: `dhcp-boot="x`, name: "dhcp-boot", value: "x", fields: []string{"x"}, broken: true},
		{raw: "conf-dir=/etc/dnsmasq.d/,*.conf\r", name: "conf-dir", value: "/etc/dnsmasq.d/,*.conf",
			fields: []string{"/etc/dnsmasq.d/", "*.conf"}},
		{raw: "a=b=c", name: "a", value: "b=c", fields: []string{"b=c"}},
	} {
		d := parseLine(c.raw)
		if d.name != c.name || d.value != c.value || !slices.Equal(d.fields, c.fields) || d.broken != c.broken {
			t.Errorf("%q: %q = %q %q broken %v", c.raw, d.name, d.value, d.fields, d.broken)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add(`dhcp-boot=tag:x,"a,b",,10.0.0.1 # c`)
	f.Add("\"\\")
	f.Fuzz(func(t *testing.T, raw string) {
		d := parseLine(raw)
		if (d.value == "") != (len(d.fields) == 0) {
			t.Errorf("value %q has fields %q", d.value, d.fields)
		}
		tags, rest := d.tags()
		if len(tags)+len(rest) != len(d.fields) {
			t.Errorf("%q parted into %q and %q", d.fields, tags, rest)
		}
	})
}
