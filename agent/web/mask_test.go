package web

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"kernel /unix -B root_shadow='$5$2HfZL4Ey$abcdefgh',smartos=true": "kernel /unix -B " +
			"root_shadow=(hidden),smartos=true",
		`kernel /k inst.rootpw="a b" quiet`:              `kernel /k inst.rootpw=(hidden) quiet`,
		"kernel /k ks=https://u:geheim@h.example/ks.cfg": "kernel /k ks=https://u:(hidden)@h.example/ks.cfg",
		"kernel /k url=http://h.example/x?token=abc&y=1": "kernel /k " +
			"url=http://h.example/x?token=(hidden)&y=1",
		"set net0/password geheim und mehr":              "set net0/password (hidden)",
		"  set api-token:string geheim":                  "  set api-token:string (hidden)",
		"param password=x && y":                          "param password=(hidden) && y",
		"kernel /k x=$6$rounds=5000$salt$hashhashhash y": "kernel /k x=(hidden) y",
		"kernel /k talos.config=none tokenless quiet":    "kernel /k talos.config=none tokenless quiet",
		"item pass Pass it on":                           "item pass Pass it on",
	} {
		if got := mask(in); got != want {
			t.Errorf("%q:\n got %q\nwant %q", in, got, want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("kernel /k root_shadow='x' quiet", "s3cr3tW0rd")
	f.Add("set password x", "a\"b")
	f.Fuzz(func(t *testing.T, script, secret string) {
		if got := mask(mask(script)); got != mask(got) {
			t.Errorf("%q changes each time", script)
		}
		if len(secret) < 6 || strings.ContainsAny(secret, "\"'& \t\r\n\v\f") || strings.Contains(script, secret) {
			return
		}
		if masked := mask("kernel /k root_shadow=" + secret + " quiet\n" + script); strings.Contains(masked, secret) &&
			!strings.Contains(hidden, secret) {
			t.Errorf("%q is still in %q", secret, masked)
		}
	})
}
