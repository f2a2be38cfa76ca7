package script

import "strings"

// command is one command of a script, or one label, with where it stands.
type command struct {
	line  int
	words []string
}

// commands splits a script into commands: lines, continued by a backslash at their end, at ;, && and || that stand
// alone, up to a word that begins with #.
func commands(script string) []command {
	var out []command
	lines := strings.Split(script, "\n")
	for n := 1; n < len(lines); n++ { // the first is the magic
		start, text := n, strings.TrimRight(lines[n], "\r")
		for strings.HasSuffix(text, `\`) && n+1 < len(lines) {
			n++
			text = strings.TrimSuffix(text, `\`) + strings.TrimRight(lines[n], "\r")
		}
		var words []string
		end := func() {
			if len(words) > 0 {
				out = append(out, command{start + 1, words})
			}
			words = nil
		}
		for _, w := range strings.Fields(text) {
			if strings.HasPrefix(w, "#") {
				break
			}
			if w == ";" || w == "&&" || w == "||" {
				end()
				continue
			}
			words = append(words, w)
		}
		end()
	}
	return out
}

// options takes options from the front of a command's words, those in valued with their values. It says
// whether --gap was one, and the value of --default.
func options(args []string, valued map[string]bool) (rest []string, gap bool, def string) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		o := args[0]
		args = args[1:]
		if o == "--" {
			break
		}
		gap = gap || o == "-g" || o == "--gap"
		name, value, joined := strings.Cut(o, "=")
		if !joined && valued[name] && len(args) > 0 {
			value, args = args[0], args[1:]
		}
		if name == "-d" || name == "--default" {
			def = value
		}
	}
	return args, gap, def
}

// maxExpanded is what a word may grow to, in bytes: a script that doubles a setting line by line ends there.
const maxExpanded = 4096

// expandKnown puts in the settings that are known, the innermost first, as iPXE does again and again; a setting may name
// itself. The others stay.
func expandKnown(s string, settings map[string]string) string {
	for range 8 {
		start := strings.LastIndex(s, "${")
		if start < 0 {
			return s
		}
		end := strings.IndexByte(s[start:], '}')
		if end < 0 {
			return s
		}
		value, known := settings[s[start+2:start+end]]
		if !known || len(s)+len(value) > maxExpanded {
			return s
		}
		s = s[:start] + value + s[start+end+1:]
	}
	return s
}
