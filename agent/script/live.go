package script

import (
	"maps"
	"slices"
	"strings"
)

// liveness says which settings the rest of a script may still read. Ways that differ in others only go on alike, and
// are one: without that, a menu that is shown again after an item failed would be followed once for each item that can
// have failed before.
type liveness struct {
	all  bool // names are put together from settings somewhere: every setting counts
	in   []map[string]bool
	uses map[string]bool // names that the script reads anywhere
	// words may be names of images: an image of another name can only be fetched again. Anything may be one where anyImage
	// is true.
	words    map[string]bool
	anyImage bool
}

// Bounds of newLiveness, beyond which every setting counts.
const (
	maxRounds = 20
	maxJumps  = 2_000_000 // lines times labels
)

// newLiveness works backwards from what each line reads and sets, until nothing changes.
func newLiveness(p *program) *liveness {
	l := &liveness{in: make([]map[string]bool, len(p.lines)+1), uses: map[string]bool{}, words: map[string]bool{}}
	for i := range l.in {
		l.in[i] = map[string]bool{}
	}
	var labels []int
	for i, line := range p.lines {
		if line.labelled {
			labels = append(labels, i)
		}
	}
	for changed, rounds := true, 0; changed && !l.all; rounds++ {
		changed, l.all = false, rounds > maxRounds || len(labels)*len(p.lines) > maxJumps
		for i := len(p.lines) - 1; i >= 0; i-- {
			line := p.lines[i]
			live := maps.Clone(l.in[i+1])
			for _, next := range targets(p, line, labels) {
				maps.Copy(live, l.in[next])
			}
			delete(live, defined(line))
			l.read(line, live)
			if len(live) > len(l.in[i]) {
				l.in[i], changed = live, true
			}
		}
	}
	return l
}

// targets are the lines to which a line may jump.
func targets(p *program, line line, labels []int) (to []int) {
	for _, c := range line.commands {
		if len(c.words) != 2 || c.words[0] != "goto" {
			continue
		}
		if strings.Contains(c.words[1], "${") {
			return labels
		}
		if i, found := p.find(c.words[1]); found {
			to = append(to, i)
		}
	}
	return to
}

// defined is the setting that a line gives a new value whatever happens: set or choose alone, or set on both sides of a
// test. Empty: none.
func defined(line line) string {
	c := line.commands
	switch {
	case len(c) == 0:
		return ""
	case len(c) >= 2 && c[len(c)-1].operator == "||" && c[len(c)-2].operator == "&&":
		if name := setName(c[len(c)-1]); name == setName(c[len(c)-2]) {
			return name
		}
	}
	if len(c[0].words) > 1 && c[0].words[0] == "choose" {
		name, _ := splitName(c[0].last())
		return name
	}
	return setName(c[0])
}

// setName is the setting that a command sets or clears; empty for other commands.
func setName(c command) string {
	if len(c.words) < 2 || c.words[0] != "set" && c.words[0] != "clear" {
		return ""
	}
	name, _ := splitName(c.words[1])
	return name
}

// read adds the names that a line reads.
func (l *liveness) read(line line, live map[string]bool) {
	for _, c := range line.commands {
		l.images(c)
		for i, w := range c.words {
			if shown(c, i) {
				continue
			}
			if i > 0 && (c.words[0] == "inc" || c.words[0] == "show" || c.words[0] == "read") {
				name, _ := splitName(w)
				live[name], l.uses[name] = true, true
			}
			l.names(w, live)
		}
	}
}

// images adds the words of a command that may be names of images.
func (l *liveness) images(c command) {
	if len(c.words) == 0 {
		return
	}
	e := table[c.words[0]]
	if !e.effect.fetches() && e.effect != doFree {
		return
	}
	p, problem, _ := parseOptions(e, c.words)
	if problem != "" || len(p.args) == 0 {
		return
	}
	names := p.args
	if e.effect != doImages && e.effect != doDigest && e.effect != doFree {
		names = names[:1] // the rest is a command line
	}
	for _, w := range names {
		if !strings.ContainsAny(w, "/:") {
			l.words[w] = true
			l.anyImage = l.anyImage || strings.Contains(w, "${")
		}
	}
}

// shown reports whether a word is only shown to people, so that what is in it changes nothing.
func shown(c command, i int) bool {
	switch c.words[0] {
	case "echo", "menu", "prompt":
		return i > 0 && !strings.HasPrefix(c.words[1], "-")
	case "item":
		return i > 1 && !strings.HasPrefix(c.words[1], "-")
	}
	return false
}

// names adds the settings in a word.
func (l *liveness) names(word string, live map[string]bool) {
	for {
		before, after, found := strings.Cut(word, "$")
		if !found {
			return
		}
		inner, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		if !strings.HasPrefix(after, "{") || !closed || strings.Contains(inner, "${") || strings.Contains(before, "$") {
			l.all = true
			return
		}
		name, _ := splitName(inner)
		live[name], l.uses[name] = true, true
		word = rest
	}
}

// relevant are the settings of a state that matter for what comes, sorted: those that may be read by a script that
// runs, from where it stands, or by one that may be chained again.
func (r *runner) relevant(s *state) []string {
	names := make([]string, 0, len(s.settings))
	for name := range s.settings {
		if r.live(s, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *runner) live(s *state, name string) bool {
	_, base, _ := cutLast(name, "/")
	for _, f := range s.frames {
		l := f.script.live
		if in := l.in[min(f.line, len(l.in)-1)]; l.all || in[name] || in[base] {
			return true
		}
	}
	for _, l := range r.order {
		if l != s.top().script && (l.live.all || l.live.uses[name] || l.live.uses[base]) {
			return true
		}
	}
	return false
}

// named reports whether a script can use an image by its name.
func (r *runner) named(image string) bool {
	return slices.ContainsFunc(r.order, func(l *loaded) bool { return l.live.anyImage || l.live.words[image] })
}
