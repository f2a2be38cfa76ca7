package machine

import (
	"slices"
	"strings"
	"testing"
)

func TestVersionsInOrder(t *testing.T) {
	want := []string{"", "1.0-alpha1", "1.0-beta", "1.0-rc1", "1.0-rc2", "1.0-rc10", "1.0~beta", "1.0", "1.0-1", "1.0.1", "1.2", "1.2a", "1.9", "1.10", "12", "12.5", "41",
		"20130808T195337Z", "20130808T195338Z", "20260101T000000Z", "release-1"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareVersions)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// FuzzVersions: it is an order.
func FuzzVersions(f *testing.F) {
	f.Add("1.0", "1.0-rc1", "1.0.1")
	f.Add("1.00", "1.0", "1~")
	f.Add("a1", "1a", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		sign := func(n int) int { return max(-1, min(1, n)) }
		if sign(compareVersions(a, b)) != -sign(compareVersions(b, a)) {
			t.Fatalf("%q and %q: %d, %d", a, b, compareVersions(a, b), compareVersions(b, a))
		}
		if (compareVersions(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q are equal", a, b)
		}
		if compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0 && compareVersions(a, c) > 0 {
			t.Fatalf("%q, %q, %q", a, b, c)
		}
	})
}

func TestExpand(t *testing.T) {
	v := Values{MAC: mac1, Host: "node", Serial: "a b$(c)`d'\"", Labels: map[string]string{"rack": "a 1", "x": "{{.MAC}}"}, Server: "http://10.0.0.7"}
	for in, want := range map[string]string{
		"ks={{.Server}}/provision/x.ks BOOTIF=01-{{ .DashedMAC }} q": "ks=http://10.0.0.7/provision/x.ks BOOTIF=01-52-54-00-12-34-01 q",
		"{{.Host}}.{{.Labels.rack}}.{{.Labels.none}}.{{.Labels.x}}":  "node.a_1..{{.MAC}}",
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
	for _, wrong := range []string{"{{.Password}}", "{{MAC}}", "{{.Labels}}", "{{.MAC.x}}", "{{.MAC", "}}", "{{if .MAC}}x{{end}}", strings.Repeat("x", 3000)} {
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
