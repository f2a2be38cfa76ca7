package script

import (
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// execute runs one command. It returns the way that goes on, nil where it ends here; other ways are queued.
func (r *runner) execute(s *state, words []string, number int) *state {
	expanded := make([]string, len(words))
	for i, w := range words {
		expanded[i] = s.expand(w)
	}
	r.words(s, words, number)
	c, ok := r.parse(s, expanded, number)
	if !ok {
		return fail(s)
	}
	if c.effect == doTime {
		return r.execute(s, words[len(words)-len(c.args):], number)
	}
	switch c.effect {
	case doNothing:
		return s
	case doEither:
		if r.longMode && c.name == "cpuid" && (c.has("ext") || c.has("e")) && c.args[0] == longModeBit {
			return s
		}
		return r.both(s, "")
	case doNetwork:
		return r.network(s)
	case doFetch, doSelect, doBoot, doImages, doDigest, doShim, doDisk, doPicture, doArgs, doFree:
		return r.image(s, c, number)
	case doMenu, doItem, doChoose:
		return r.menu(s, c, number)
	case doGoto:
		return r.jump(s, c.args[0], number)
	case doExit:
		return r.exit(s, c)
	case doLeave:
		return end(s)
	case doParams:
		if c.has("delete") {
			delete(s.lists, c.options["name"])
		} else {
			s.lists[c.options["name"]] = true
		}
		return s
	case doParam:
		if !s.lists[c.options["params"]] {
			return fail(s)
		}
		return s
	}
	return r.setting(s, c, words, number)
}

// words finds what is wrong with words before they are expanded.
func (r *runner) words(s *state, words []string, number int) {
	for i, w := range words[:len(words)-1] {
		if _, command := table[words[i+1]]; command && len(w) > 1 && strings.HasSuffix(w, ";") {
			r.findHere(s, number, Warning, Semicolon, "%q: a semicolon ends a command only where it stands alone", w)
		}
	}
	if words[0] == "isset" && len(words) == 2 && !strings.Contains(words[1], "${") {
		r.findHere(
			s,
			number,
			Warning,
			IsSetOfName,
			"isset %s is always true: it looks at the word; write isset ${%s}",
			words[1],
			words[1],
		)
	}
}

func (r *runner) findHere(s *state, number int, level Level, code, format string, args ...any) {
	r.find(s.top().script.url.String(), number, level, code, format, args...)
}

// parse looks a command up and takes its options off. What iPXE would refuse is found.
func (r *runner) parse(s *state, words []string, number int) (parsed, bool) {
	name := words[0]
	e, known := table[name]
	switch {
	case !isKnown(name):
		return parsed{entry: entry{effect: doEither, max: many}}, true
	case !known && name == "":
		return parsed{}, false // an unset setting where a command should stand: the empty command is another thing
	case !known:
		near := ""
		if n := nearest(name); n != "" {
			near = ", did you mean " + n + "?"
		}
		level := Error
		if r.caught(s) {
			level = Warning
		}
		r.findHere(s, number, level, UnknownCommand, "unknown command %q%s", readable(name), near)
		return parsed{}, false
	}
	if e.effect == doTime {
		return parsed{entry: e, name: name, args: words[1:]}, len(words) > 1
	}
	p, problem, code := parseOptions(e, words)
	if problem != "" {
		r.findHere(s, number, Error, code, "%s: %s", name, problem)
		return p, false
	}
	return p, true
}

// caught reports whether the command that runs is followed by || or ; in its line.
func (r *runner) caught(s *state) bool {
	f := s.top()
	for _, c := range f.script.lines[f.line].commands[f.next:] {
		if c.operator == "||" || c.operator == ";" {
			return true
		}
	}
	return false
}

// nearest is the command whose name is the most like another, empty where none is like it.
func nearest(name string) string {
	best, distance := "", 3
	for known := range table {
		d := levenshtein.Distance(name, known, nil)
		if d < distance || d == distance && best != "" && known < best {
			best, distance = known, d
		}
	}
	if distance*2 > len(name) {
		return ""
	}
	return best
}

// jump is goto: the label is searched from the top of the innermost script; the rest of the line is dropped.
func (r *runner) jump(s *state, label string, number int) *state {
	p := s.top().script
	if !isKnown(label) {
		// It may lead to any label, or nowhere.
		for i, l := range p.lines {
			if l.labelled {
				other := s.fork()
				other.top().line, other.top().next = i, 0
				r.push(other)
			}
		}
		return fail(s)
	}
	i, found := p.find(label)
	if !found {
		if strings.HasPrefix(label, ":") {
			r.findHere(s, number, Error, LabelColon, "goto %s: write the label without its colon", label)
		} else if !r.caught(s) {
			r.findHere(s, number, Error, NoLabel, "goto %s: label missing", label)
		} else if f := s.top(); slices.Contains(f.script.lines[f.line].commands[f.next-1].words, label) {
			// Put together from settings it may well be tried, and caught; as it stands it never works.
			r.findHere(s, number, Warning, NoLabel, "goto %s: label missing", label)
		}
		return fail(s)
	}
	s.top().line, s.top().next = i, 0
	return s
}

// exit ends the innermost script, the rest of the line included.
func (r *runner) exit(s *state, c parsed) *state {
	if len(c.args) == 0 {
		return r.leave(s, false)
	}
	if !isKnown(c.args[0]) {
		other := s.fork()
		if went := r.leave(other, true); went != nil {
			r.push(went)
		}
		return r.leave(s, false)
	}
	n, err := strconv.ParseInt(c.args[0], 0, 64)
	if err != nil {
		return fail(s)
	}
	return r.leave(s, n != 0)
}

// network is dhcp. Which next-server it brings is taken to be the one that is known.
func (r *runner) network(s *state) *state {
	s = r.both(s, "")
	r.serverChanged(s)
	return s
}

// serverChanged notes that next-server was set again: iPXE before 2026-03 then takes relative URIs to be there.
func (r *runner) serverChanged(s *state) {
	if server := s.lookup("next-server"); server != "" && isKnown(server) {
		s.top().moved = "tftp://" + server + "/"
	}
}
