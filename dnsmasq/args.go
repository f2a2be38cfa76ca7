package dnsmasq

import (
	"os"
	"strings"
)

// shorts are the one-letter options: those that matter here with their long names, the others as
// themselves; true if a value follows.
var shorts = func() map[byte]struct {
	long  string
	value bool
} {
	m := map[byte]struct {
		long  string
		value bool
	}{}
	const letters = "951yZDNLERKzowefnbvhdkqr:m:p:c:l:s:i:t:u:g:a:x:S:C:A:T:H:Q:I:B:F:G:O:M:X:V:U:j:P:J:W:Y:2:4:6:7:8:0:3:"
	for i := 0; i < len(letters); i++ {
		if letters[i] == ':' {
			continue
		}
		e := m[letters[i]]
		e.long, e.value = "-"+letters[i:i+1], i+1 < len(letters) && letters[i+1] == ':'
		m[letters[i]] = e
	}
	for c, long := range map[byte]string{
		'C': "conf-file", '7': "conf-dir", 'F': "dhcp-range", 'M': "dhcp-boot", 'O': "dhcp-option", 'J': "dhcp-ignore",
		'U': "dhcp-vendorclass", 'j': "dhcp-userclass", 'i': "interface", 'I': "except-interface", '2': "no-dhcp-interface",
		'a': "listen-address", 'z': "bind-interfaces", 'x': "pid-file",
	} {
		e := m[c]
		e.long = long
		m[c] = e
	}
	return m
}()

// parseArgs reads a command line, without the program's name, as getopt does.
func parseArgs(args []string) []directive {
	var list []directive
	add := func(name, value string) {
		cells := make([]cell, len(value))
		for i := range cells {
			cells[i].c = value[i]
		}
		list = append(list, directive{name: name, value: value, fields: split(cells)})
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if long, ok := strings.CutPrefix(arg, "--"); ok {
			name, value, has := strings.Cut(long, "=")
			// Dnsmasq has no arguments but options, so a word that follows is this option's value.
			if !has && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				value, args = args[0], args[1:]
			}
			add(name, value)
			continue
		}
		letters, ok := strings.CutPrefix(arg, "-")
		if !ok {
			continue
		}
		for len(letters) > 0 {
			o := shorts[letters[0]]
			letters = letters[1:]
			if !o.value {
				add(o.long, "")
				continue
			}
			if letters == "" && len(args) > 0 {
				letters, args = args[0], args[1:]
			}
			add(o.long, letters)
			break
		}
	}
	return list
}

// debianArgs are the arguments with which Debian's init script and unit start Dnsmasq, from the
// settings of /etc/default/dnsmasq. Without that file: none.
func debianArgs(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	set := shellSettings(string(text))
	var args []string
	for _, dev := range strings.Fields(set["DNSMASQ_INTERFACE"]) {
		args = append(args, "-i", dev)
	}
	for _, dev := range strings.Fields(set["DNSMASQ_EXCEPT"]) {
		args = append(args, "-I", dev)
	}
	if dir := set["CONFIG_DIR"]; dir != "" {
		args = append(args, "-7", dir)
	}
	args = append(args, strings.Fields(set["DNSMASQ_OPTS"])...)
	return append(args, "--local-service"), nil
}

// shellSettings reads NAME=value lines, with or without quotes. It only expands the
// variable's own old value, the usual way to append.
func shellSettings(text string) map[string]string {
	set := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(name, "#") || strings.ContainsAny(name, " \t") {
			continue
		}
		switch {
		case strings.HasPrefix(value, `"`), strings.HasPrefix(value, "'"):
			value, _, _ = strings.Cut(value[1:], value[:1])
		default:
			value, _, _ = strings.Cut(value, " ")
		}
		for _, own := range []string{"${" + name + "}", "$" + name} {
			value = strings.ReplaceAll(value, own, set[name])
		}
		set[name] = value
	}
	return set
}
