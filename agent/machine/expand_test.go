package machine

import (
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	v := Values{
		MAC:    mac1,
		Host:   "node",
		Serial: "a b$(c)`d'\"",
		Labels: map[string]string{"rack": "a 1", "x": "{{.MAC}}"},
		Server: "http://10.0.0.7",
	}
	for in, want := range map[string]string{
		"ks={{.Server}}/provision/x.ks BOOTIF=01-{{ .DashedMAC }} q": "ks=http://10.0.0.7/provision/x.ks " +
			"BOOTIF=01-52-54-00-12-34-01 q",
		"{{.Host}}.{{.Labels.rack}}.{{.Labels.none}}.{{.Labels.x}}": "node.a_1..{{.MAC}}",
		"s={{.Serial}}": "s=a_b_(c)_d__",
		"none":          "none",
	} {
		if err := CheckArgs(in); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if got := Expand(in, v); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for _, wrong := range []string{"{{.Password}}", "{{MAC}}", "{{.Labels}}", "{{.MAC.x}}", "{{.MAC", "}}",
		"{{if .MAC}}x{{end}}", strings.Repeat("x", 3000)} {
		if CheckArgs(wrong) == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// FuzzExpand: what comes over the wire stays one word that means nothing to iPXE or a kernel.
func FuzzExpand(f *testing.F) {
	f.Add("a b", "${net0/mac}")
	f.Add("\n", "'; reboot")
	f.Fuzz(func(t *testing.T, serial, asset string) {
		got := Expand("{{.Serial}}|{{.Asset}}", Values{Serial: serial, Asset: asset})
		if strings.ContainsAny(got, " \t\r\n$'\"\\`;&#<>\x00") || strings.Count(got, "|") != 1 {
			t.Fatalf("%q", got)
		}
		for _, r := range got {
			if r > 0x7e || r < 0x20 {
				t.Fatalf("%q", got)
			}
		}
	})
}
