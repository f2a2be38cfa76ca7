package script

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	for script, want := range map[string]string{
		"#!ipxe\n":                    "",
		"#!ipxe \n":                   "",
		"#!ipxe\r\nshell":             "",
		"#!ipxe\t":                    "",
		"":                            "empty",
		"#!ipxe":                      "nothing comes after",
		"#!ipxe2\n":                   "begins with",
		"#!iPXE\n":                    "begins with",
		" #!ipxe\n":                   "very first bytes",
		"\r\n#!ipxe\n":                "very first bytes",
		"\xef\xbb\xbf#!ipxe\n":        "byte order mark",
		"\xff\xfe#\x00!\x00i\x00p":    "UTF-16",
		"<html>":                      "begins with",
		"kernel http://h/a\x00\x01\n": "begins with",
	} {
		err := Validate([]byte(script))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Validate(%q) = %v, want %q", script, err, want)
		}
	}
}

func TestLint(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         []string // line and code
	}{
		{"clean", "#!ipxe\n:a\nmenu x\nitem --key b b text\nitem --gap -- c\nchoose --default b --timeout 1 t && goto ${t} " +
			"||\n:b\ngoto a\n", nil},
		{"CRLF", "#!ipxe\r\n:a\r\ngoto a\r\n", nil},
		{"no label", "#!ipxe\necho a || goto nowhere\n", []string{"2 no-label"}},
		{"after &&", "#!ipxe\nisset ${x} && goto a ||\ngoto b ; goto c\n:b\n", []string{"2 no-label", "3 no-label"}},
		{"comment", "#!ipxe\n# goto a\necho b # goto c\n#\n", nil},
		{"a # within a word", "#!ipxe\ngoto a#b\n", []string{"2 no-label"}},
		{"dynamic", "#!ipxe\ngoto ${target} ||\ngoto a-${x}\n", nil},
		{"item without label",
			"#!ipxe\nmenu\nitem one Text\nitem --key t -- two Text\nitem three\nitem\nchoose x && goto ${x} || " +
				"exit\n:one\n:two\n", nil},
		{"item without label, not caught", "#!ipxe\nmenu\nitem one Text\nitem two\nchoose x || exit\ngoto ${x}\n:one\n",
			[]string{"6 no-label"}},
		{"item of a script that does not go there", "#!ipxe\nmenu\nitem one Text\nchoose x && chain http://h/${x} ||\n", nil},
		{"items of several menus", "#!ipxe\nitem --menu m one Text\nchoose --menu m --default=one x ||\n", nil},
		{"default is not an item", "#!ipxe\nmenu\nitem one Text\nchoose --default two x ||\n", []string{"4 no-item"}},
		{"default from a setting", "#!ipxe\nmenu\nitem one Text\nchoose --default ${d} x ||\n", nil},
		{"twice", "#!ipxe\n:a\necho\n:a\n", []string{"4 same-label"}},
		{"continued", "#!ipxe\necho a \\\n  b || goto \\\n  nowhere\n", []string{"2 no-label"}},
		{"not a script", "shell\n", []string{"1 not-a-script"}},
		{"Linux may have long lines", "#!ipxe\nkernel http://h/" + strings.Repeat("a", 600) + "\ninitrd http://h/i\nboot\n",
			nil},
		{"multiboot may not", "#!ipxe\nset r http://h/" + strings.Repeat("a", 300) +
			"\nkernel ${r}/unix -B x=y\nmodule ${r}/boot_archive\nboot || goto e\n:e\n", []string{"3 long-command-line"}},
		{"settings within settings", "#!ipxe\nset a " + strings.Repeat("a", 200) +
			"\nset b ${a}${a}\nkernel --name u ${b}\nmodule ${a}\nboot\n", []string{"4 long-command-line"}},
		{"each kernel for itself", "#!ipxe\nset r " + strings.Repeat("a", 200) +
			"\niseq ${x} 1 && goto b ||\nkernel ${r}\nmodule ${r}\nboot\n:b\nkernel ${r}\nmodule ${r}\nboot\n", nil},
		{"a setting of itself", "#!ipxe\nset a ${a}${a}\nkernel ${a}\nmodule ${a}\nboot\n", nil},
		{"words are missing", "#!ipxe\ngoto\nset\nitem\nchoose\nchoose --default\nkernel\nmodule\nitem --key\n;\n|| &&\n",
			[]string{"2 arguments", "3 unreachable"}},
	} {
		var got []string
		for _, f := range Lint([]byte(tc.script)) {
			if f.Text == "" {
				t.Errorf("%s: %+v says nothing", tc.name, f)
			}
			got = append(got, fmt.Sprintf("%d %s", f.Line, f.Code))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s:\n%s", tc.name, diff)
		}
	}
}

func FuzzLint(f *testing.F) {
	for _, s := range []string{"#!ipxe\n:a\ngoto a\n", "#!ipxe\nset a ${b}\nset b ${a}${a}\nkernel ${a}\nmodule ${b}\n",
		"#!ipxe\nitem --key\nchoose -d\n\\\n\\", "\xef\xbb\xbf#!ipxe\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		lines := strings.Count(string(script), "\n") + 1
		found := Lint(script)
		for i, x := range found {
			if x.Line < 1 || x.Line > lines || x.Code == "" || i > 0 && x.Line < found[i-1].Line {
				t.Errorf("%+v among %d lines", x, lines)
			}
		}
		if bad := Validate(script) != nil; bad != (len(found) == 1 && found[0].Code == NotScript) {
			t.Errorf("Validate and Lint disagree: %+v", found)
		}
	})
}
