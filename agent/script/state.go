package script

import (
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// state is one way through a script, up to where it stands now.
type state struct {
	frames   []frame
	settings map[string]value
	menus    map[string]menuState // by name; "" is the unnamed one
	images   []picture
	selected string          // the image that boot without a name runs; empty: none
	lists    map[string]bool // parameter lists that params made
	open     bool            // settings that nobody set are unknown
	when     []string
	chosen   []choice
	differs  []string // tests that said no: "name is not value"
	pending  int      // index of the reference whose failure is on its way up; nothingPending, nothingWrong
	fetched  string   // URL of the file that the command before fetched or found; empty where it is not known
}

// frame is a script that runs; the last one is the innermost.
type frame struct {
	script *loaded
	line   int
	next   int    // command within the line
	failed bool   // the result of the command before
	moved  string // tftp:// URL of next-server where that was changed since the script began
}

// loaded is a script with where it came from.
type loaded struct {
	*program
	id   int
	url  *url.URL
	live *liveness
	seen map[[2]int]bool // lines and commands that ran
}

// choice is an item that was chosen, and where.
type choice struct {
	at    [3]int
	label string
}

// choose notes an item. Where the same menu was shown before, what was chosen since does not count any more.
func (s *state) choose(at [3]int, label string) {
	if i := slices.IndexFunc(s.chosen, func(c choice) bool { return c.at == at }); i >= 0 {
		s.chosen = s.chosen[:i]
	}
	s.chosen = append(slices.Clip(s.chosen), choice{at, label})
}

// item is the path of items that were chosen on the way.
func (s *state) item() string {
	var labels []string
	for _, c := range s.chosen {
		labels = append(labels, readable(c.label))
	}
	return strings.Join(labels, "/")
}

// menuState is a menu that is being made.
type menuState struct {
	title string
	items []Item
}

// picture is an image that was fetched.
type picture struct {
	name, url  string
	word, args string // as the script has them: BIOS keeps both for multiboot
	module     bool   // fetched as a module or initrd
	line       int
}

// fork is a copy that can go its own way.
func (s *state) fork() *state {
	c := *s
	c.frames = slices.Clone(s.frames)
	c.settings = maps.Clone(s.settings)
	c.menus = maps.Clone(s.menus)
	c.images = slices.Clone(s.images)
	c.lists = maps.Clone(s.lists)
	c.when, c.differs = slices.Clip(s.when), slices.Clip(s.differs)
	return &c
}

func (s *state) top() *frame { return &s.frames[len(s.frames)-1] }

// key tells states apart that may go on differently; relevant are the settings that count, named says
// which images do.
func (s *state) key(seed maphash.Seed, relevant []string, named func(string) bool) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	text := func(t string) {
		_, _ = h.WriteString(t) // never fails
		_ = h.WriteByte(0)
	}
	number := func(n int) { text(strconv.Itoa(n)) }
	for _, f := range s.frames {
		number(f.script.id)
		number(f.line)
		number(f.next)
		text(f.moved)
	}
	for _, k := range relevant {
		text(k)
		text(s.settings[k].text)
		text(s.settings[k].typ)
	}
	for _, k := range slices.Sorted(maps.Keys(s.menus)) {
		text(k)
		for _, i := range s.menus[k].items {
			text(i.Label)
		}
	}
	for _, p := range s.images {
		if named(p.name) {
			text(p.name)
			text(p.url)
		}
	}
	number(len(s.lists))
	if s.selected != "" {
		text("selected")
	}
	for _, d := range s.differs {
		text(d)
	}
	return h.Sum64()
}

// image is the first image with a name.
func (s *state) image(name string) (picture, bool) {
	i := slices.IndexFunc(s.images, func(p picture) bool { return p.name == name })
	if i < 0 {
		return picture{}, false
	}
	return s.images[i], true
}
