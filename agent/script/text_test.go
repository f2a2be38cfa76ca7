package script

import "testing"

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"Rack 7":                 "Rack 7",
		"  a \t b\r\nshell\n":    "a b shell",
		"":                       "",
		"\n":                     "",
		"a ; b && c || d":        `a ";" b "&&" c "||" d`,
		"#1 rack":                "_1 rack",
		"--gap x":                "_-gap x",
		"x\x00y\x1b[2J\x7fz":     "x y [2J z",
		"it's ${hostname} a;b#c": "it's ${hostname} a;b#c",
	} {
		if got := Words(in); got != want {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestURLQuotes(t *testing.T) {
	for in, want := range map[string]string{
		"a/b+c.bin":       "http://h/a/b+c.bin",
		"/a":              "http://h/a",
		".":               "http://h/",
		"a b/${ip};#\n||": "http://h/a%20b/%24%7Bip%7D%3B%23%0A%7C%7C",
		"é%":              "http://h/%C3%A9%25",
	} {
		if got := URL("http://h", in); got != want {
			t.Errorf("URL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCheckArgs(t *testing.T) {
	for _, ok := range []string{"", "a=b -kd", "x=${hostname}", "a;b c&&d e||f g#h", `quote="a b" 'c'`, `a\b`} {
		if err := CheckArgs(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"a ; b", "a && b", "a || b", "#a", "a #b", "a\nb", "a\tb", "Größe", "a\x00", `a \`,
		"\x7f"} {
		if CheckArgs(bad) == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}
