package script

import (
	"hash/maphash"
	"net/url"
	"strings"
)

// Machine is what is known of the machine that runs a script.
type Machine struct {
	// Settings are known values by name: platform, buildarch, next-server, net0/mac. Those that only a machine has and
	// that are not here are unknown, and both ways are followed; all others are empty until the script sets them.
	Settings map[string]string
	// Open: others may have set anything before the script runs, such as a menu that includes it. A setting that the
	// script does not set is unknown then.
	Open bool
	// There says whether a URL can be fetched, where that is known; nil: it is not known of any.
	There func(u string) (there, known bool)
	// LongMode: the processor runs 64-bit code, which cpuid --ext 29 tells.
	LongMode bool
}

// longModeBit is the bit of the extended features that stands for 64-bit code.
const longModeBit = "29"

// Chained is what stands behind a URL that a script chains.
type Chained struct {
	Text    []byte // the script; nil where it is not a script
	Missing bool   // there is nothing: it cannot be fetched
}

// Load gives what a URL holds. It is asked for each URL once. Without it, or where known is false, what is chained may
// end in any way.
type Load func(u string) (c Chained, known bool)

// Bounds of one run.
const (
	maxSteps  = 20_000 // commands and partings, over all ways
	maxVisits = 2048   // ways through one line
	maxDepth  = 8      // scripts within scripts
	maxLoaded = 64     // scripts in all
)

// Run runs a script in every way that it can take on the machine, and says what it fetches. base is its own URL.
func Run(text []byte, base *url.URL, m Machine, load Load) Report {
	r := runner{
		load: load, got: map[string]got{}, seed: maphash.MakeSeed(), seen: map[uint64]bool{}, visits: map[[3]int]int{},
		scripts:   map[string]*loaded{},
		collector: collector{index: map[string]int{}},
	}
	r.Complete, r.longMode, r.there = true, m.LongMode, m.There
	top, err := r.script(text, base)
	if err != nil {
		r.find(base.String(), 1, Error, NotScript, "%v", err)
		return r.Report
	}
	s := &state{
		frames: []frame{
			{script: top},
		}, settings: map[string]value{}, menus: map[string]menuState{}, lists: map[string]bool{},
		pending: nothingPending, open: m.Open,
	}
	for k, v := range m.Settings {
		s.settings[k] = value{text: v}
	}
	r.queue = append(r.queue, s)
	for len(r.queue) > 0 {
		next := r.queue[0]
		r.queue = r.queue[1:]
		r.run(next)
	}
	r.finish()
	return r.Report
}

// What a failure on its way up comes from, where it is not a file.
const (
	nothingPending = -1 // a command
	nothingWrong   = -2 // what may well be: an image that does not start, a machine that does not switch off
)

type runner struct {
	collector
	longMode bool
	there    func(u string) (there, known bool)
	load     Load
	got      map[string]got
	seed     maphash.Seed
	seen     map[uint64]bool
	visits   map[[3]int]int     // by place
	scripts  map[string]*loaded // by URL
	order    []*loaded
	queue    []*state
	steps    int
}

// script parses a script once for each URL.
func (r *runner) script(text []byte, base *url.URL) (*loaded, error) {
	if l, has := r.scripts[base.String()]; has {
		return l, nil
	}
	p, err := parseProgram(text)
	if err != nil {
		return nil, err
	}
	l := &loaded{program: p, id: len(r.order), url: base, live: newLiveness(p), seen: map[[2]int]bool{}}
	r.scripts[base.String()] = l
	r.order = append(r.order, l)
	first := map[string]int{}
	for _, line := range p.lines {
		if before, twice := first[line.label]; line.labelled && twice {
			r.find(
				base.String(),
				line.number,
				Warning,
				SameLabel,
				"duplicate label %q (first on line %d)",
				line.label,
				before,
			)
		} else if line.labelled {
			first[line.label] = line.number
		}
	}
	return l, nil
}

// chained is what a URL holds, asked for once.
func (r *runner) chained(u string) (Chained, bool) {
	if r.load == nil || u == "" {
		return Chained{}, false
	}
	got, asked := r.got[u]
	if !asked {
		got.Chained, got.known = r.load(u)
		r.got[u] = got
	}
	return got.Chained, got.known
}

type got struct {
	Chained
	known bool
}

// run goes on with one way until it ends or parts; what parts from it is queued.
func (r *runner) run(s *state) {
	for s != nil {
		f := s.top()
		if f.line >= len(f.script.lines) {
			s = r.leave(s, false)
			continue
		}
		if f.next == 0 && !r.enter(s) {
			return
		}
		l := f.script.lines[f.line]
		switch {
		case l.broken:
			r.find(f.script.url.String(), l.number, Error, OpenBackslash,
				"the file ends in the line's backslash: the line never runs, and the script fails")
			s = r.leave(s, true)
		case f.next < len(l.commands):
			s = r.command(s, l)
		case f.failed:
			s = r.leave(s, true)
		default:
			f.line, f.next = f.line+1, 0
		}
	}
}

// enter reports whether a way that comes to a line has anything new to find there.
func (r *runner) enter(s *state) bool {
	f := s.top()
	f.failed = false
	s.pending = nothingPending
	key := s.key(r.seed, r.relevant(s), r.named)
	if r.seen[key] {
		return false
	}
	r.seen[key] = true
	place := r.place(s)
	if r.visits[place]++; r.visits[place] > maxVisits || r.steps > maxSteps {
		r.Complete = false
		return false
	}
	return true
}

// place is where a way stands, whatever its settings.
func (r *runner) place(s *state) [3]int {
	return [3]int{len(s.frames), s.top().script.id, s.top().line}
}

// command runs the next command of a line, or skips it.
func (r *runner) command(s *state, l line) *state {
	f := s.top()
	c := l.commands[f.next]
	at := [2]int{f.line, f.next}
	f.next++
	if c.operator == "&&" && f.failed || c.operator == "||" && !f.failed {
		return s // skipped: the result stays as it was
	}
	f.script.seen[at] = true
	r.steps++
	// Whatever failed before has been caught.
	if s.pending >= 0 && c.operator == "||" && len(c.words) > 0 && !table[c.words[0]].effect.fetches() {
		r.References[s.pending].Handled = true
	}
	s.pending = nothingPending
	f.failed = false
	if len(c.words) == 0 {
		return s
	}
	return r.execute(s, c.words, l.number)
}

// leave ends the innermost script; its result is that of the chain that ran it.
func (r *runner) leave(s *state, failed bool) *state {
	if len(s.frames) == 1 {
		switch {
		case failed && s.pending >= 0:
			r.References[s.pending].Required = true
		case failed && s.pending == nothingPending:
			r.failure(s)
		case !failed:
			r.Succeeds = true
		}
		return nil
	}
	s.frames = s.frames[:len(s.frames)-1]
	s.top().failed = failed
	if !failed {
		s.pending = nothingPending
	}
	return s
}

func (r *runner) failure(s *state) {
	f := s.frames[0]
	if f.line >= len(f.script.lines) {
		return
	}
	number := f.script.lines[f.line].number
	for _, n := range r.Failures {
		if n == number {
			return
		}
	}
	r.Failures = append(r.Failures, number)
}

// push queues a way that parts from another.
func (r *runner) push(s *state) {
	if r.steps++; r.steps > maxSteps {
		r.Complete = false
		return
	}
	r.queue = append(r.queue, s)
}

// both lets a copy fail and goes on with success. when is what is true on the way that succeeds, and not on the other.
func (r *runner) both(s *state, when string) *state {
	other := s.fork()
	other.top().failed = true
	if when != "" {
		other.when = append(other.when, "not "+when)
		s.when = append(s.when, when)
	}
	r.push(other)
	return s
}

// end is a command after which nothing comes where it works.
func end(s *state) *state {
	s.pending = nothingWrong
	return fail(s)
}

// fail makes the command fail for certain.
func fail(s *state) *state {
	s.top().failed = true
	return s
}

// finish says what no way came to.
func (r *runner) finish() {
	if !r.Complete {
		return
	}
	for _, l := range r.order {
		dead := false
		for i, line := range l.lines {
			for j, c := range line.commands {
				if ran := l.seen[[2]int{i, j}]; ran || len(c.words) == 0 || line.broken {
					dead = dead && !ran
					continue
				}
				r.deadGoto(l, line, c)
				// What only follows a || that nothing needs today is only a precaution.
				if !dead && j == 0 {
					r.find(l.url.String(), line.number, Warning, Unreachable, "never runs: %s", strings.Join(c.words, " "))
					dead = true
				}
			}
		}
	}
}

// deadGoto finds a goto to what is not there, in a command that never runs.
func (r *runner) deadGoto(l *loaded, line line, c command) {
	if c.words[0] != "goto" || len(c.words) < 2 || strings.Contains(c.last(), "${") {
		return
	}
	if _, found := l.find(c.last()); !found {
		r.find(l.url.String(), line.number, Warning, NoLabel, "goto %s: label missing, in a line that never runs", c.last())
	}
}
