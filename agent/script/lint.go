package script

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Finding is something in a script that will not work, or not as meant. Code is stable.
type Finding struct {
	Line int // from 1
	Code string
	Text string
}

// Codes of Findings.
const (
	NotScript     = "not-a-script"      // see Validate
	NoLabel       = "no-label"          // goto to, or an item for, what is not there
	SameLabel     = "same-label"        // the first of two is the one that counts
	NoItem        = "no-item"           // the default of choose is no item
	LongMultiboot = "long-command-line" // over the 512 bytes of BIOS
)

// Lint reads a script as far as that can be done without running it. What depends on settings
// that the machine brings is taken for right.
func Lint(script []byte) []Finding {
	if err := Validate(script); err != nil {
		return []Finding{{1, NotScript, err.Error()}}
	}
	l := lint{labels: map[string]int{}, items: map[string]int{}, vars: map[string]string{}}
	all := commands(string(script))
	for _, c := range all {
		if name, ok := strings.CutPrefix(c.words[0], ":"); ok {
			if first, twice := l.labels[name]; twice {
				l.find(c.line, SameLabel, "label %q is in line %d already", name, first)
				continue
			}
			l.labels[name] = c.line
		} else if c.words[0] == "goto" && len(c.words) > 1 && strings.Contains(c.words[1], "${") {
			l.jumps = true
		}
	}
	for _, c := range all {
		l.command(c)
	}
	l.flush()
	for _, d := range l.defaults {
		if _, ok := l.items[d.words[0]]; !ok {
			l.find(d.line, NoItem, "the default %q is no item of the menu", d.words[0])
		}
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { return a.Line - b.Line })
	return l.found
}

type lint struct {
	found    []Finding
	labels   map[string]int
	items    map[string]int
	vars     map[string]string
	jumps    bool // some goto goes where a setting says
	defaults []command
	// loaded are the bytes of command lines since the last kernel, and where that was; modules counts what came after it.
	loaded, at, modules int
}

func (l *lint) find(line int, code, format string, args ...any) {
	l.found = append(l.found, Finding{line, code, fmt.Sprintf(format, args...)})
}

var settingRE = regexp.MustCompile(`\$\{([^${}]*)\}`)

// expand puts in the settings that the script itself made. The others are empty: what is counted is a lower bound.
func (l *lint) expand(words []string) string {
	s := strings.Join(words, " ")
	for range 8 { // as iPXE does, again and again; a setting may name itself
		next := settingRE.ReplaceAllStringFunc(s, func(m string) string { return l.vars[m[2:len(m)-1]] })
		if next == s || len(next) > 1<<16 {
			break
		}
		s = next
	}
	return s
}

func (l *lint) command(c command) {
	name, args := c.words[0], c.words[1:]
	switch name {
	case "set":
		if len(args) > 0 {
			key, _, _ := strings.Cut(args[0], ":")
			l.vars[key] = l.expand(args[1:])
		}
	case "goto":
		if len(args) > 0 && !strings.Contains(args[0], "${") {
			l.target(c.line, args[0], "goto")
		}
	case "item":
		args, gap, _ := options(args, map[string]bool{"-m": true, "--menu": true, "-k": true, "--key": true})
		if gap || len(args) == 0 || strings.Contains(args[0], "${") {
			return
		}
		l.items[args[0]] = c.line
		if l.jumps { // else the script does something of its own with the choice
			l.target(c.line, args[0], "item")
		}
	case "choose":
		_, _, def := options(args, map[string]bool{"-m": true, "--menu": true, "-d": true, "--default": true, "-t": true, "--timeout": true})
		if def != "" && !strings.Contains(def, "${") {
			l.defaults = append(l.defaults, command{c.line, []string{def}})
		}
	case "kernel", "imgselect", "chain":
		l.flush()
		l.at = c.line
		l.load(args)
	case "module":
		l.modules++
		l.load(args)
	case "boot", "imgfree":
		l.flush()
	default:
		if strings.HasPrefix(name, ":") {
			l.flush()
		}
	}
}

func (l *lint) target(line int, label, what string) {
	if _, ok := l.labels[label]; !ok {
		l.find(line, NoLabel, "%s %s: there is no :%s", what, label, label)
	}
}

func (l *lint) load(args []string) {
	args, _, _ = options(args, map[string]bool{"-n": true, "--name": true, "-t": true, "--timeout": true})
	if len(args) > 0 {
		l.loaded += CommandLine(l.expand(args[:1]), l.expand(args[1:]))
	}
}

// flush ends a kernel and its modules. Only multiboot has modules.
func (l *lint) flush() {
	if l.modules > 0 && l.loaded > MaxCommandLine {
		l.find(l.at, LongMultiboot, "kernel and modules need %d bytes for URLs and arguments; BIOS iPXE keeps %d and cuts off the rest", l.loaded, MaxCommandLine)
	}
	l.loaded, l.modules = 0, 0
}
