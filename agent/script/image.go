package script

import (
	"net/url"
	"path"
	"strings"
)

// image runs the commands that fetch files and do something with them.
func (r *runner) image(s *state, c parsed, number int) *state {
	switch c.effect {
	case doFree:
		r.free(s, c.args)
		return s
	case doPicture:
		if p := c.options["picture"]; p != "" {
			return r.fetch(s, p, c, number)
		}
		return r.both(s, "")
	case doShim:
		return r.shim(s, c, number)
	case doDisk:
		return r.disks(s, c, number)
	case doFetch:
		return r.register(s, c.args[0], c, number)
	case doBoot:
		return r.boot(s, c, number)
	case doDigest, doImages:
		for _, a := range c.args {
			if s = r.byName(s, a, c, number); s.top().failed {
				return s
			}
		}
		return r.both(s, "") // what is in it decides
	}
	s = r.byName(s, c.args[0], c, number)
	if s.top().failed || c.effect != doSelect {
		return s
	}
	name := c.options["name"]
	if name == "" {
		name = imageName(c.args[0])
	}
	if _, has := s.image(c.args[0]); has {
		name = c.args[0]
	}
	s.selected = name
	return s
}

// free is imgfree: all images, or those that are named.
func (r *runner) free(s *state, names []string) {
	if len(names) == 0 {
		s.images, s.selected = nil, ""
	}
	for _, n := range names {
		for i, p := range s.images {
			if p.name == n {
				s.images = append(s.images[:i:i], s.images[i+1:]...)
				break
			}
		}
	}
}

// imageName is the name that an image gets from its URI: the last element of its path.
func imageName(word string) string {
	word, _, _ = strings.Cut(word, "#")
	word, _, _ = strings.Cut(word, "?")
	if !isKnown(word) {
		return word
	}
	return path.Base("/" + word)
}

// register is imgfetch, which always fetches. The image keeps its name until imgfree.
func (r *runner) register(s *state, word string, c parsed, number int) *state {
	s = r.fetch(s, word, c, number)
	name, named := c.options["name"]
	if !named {
		name = imageName(word)
	}
	if !s.top().failed && len(s.images) < 64 {
		s.images = append(s.images, picture{
			name: name, url: s.fetched, word: word, args: strings.Join(rest(c), " "), module: c.name == "module", line: number,
		})
	}
	return s
}

// byName takes an image whose name equals the word, or else fetches it.
func (r *runner) byName(s *state, word string, c parsed, number int) *state {
	if p, has := s.image(word); has {
		s.fetched = p.url
		return s
	}
	return r.register(s, word, c, number)
}

// fetch records a file and parts the ways: it comes, or it does not. Where it is known which, there is one way.
func (r *runner) fetch(s *state, word string, c parsed, number int) *state {
	s.fetched = ""
	f := s.top()
	where := f.script.url.String()
	if name, params, has := strings.Cut(word, "##params"); has {
		word = name
		list := strings.TrimPrefix(params, "=")
		if isKnown(word) && !s.lists[list] {
			r.find(where, number, Warning, ParamsMissing, "##params without params: nothing is posted")
		}
		delete(s.lists, list)
	}
	if !isKnown(word) {
		r.unknown(Unknown{readable(word), unknownNames(word), c.role, where, number})
		return r.both(s, "")
	}
	if word == "" {
		r.find(where, number, Warning, EmptyURI, "an empty URI fetches this very script again: a setting in it is not set")
	}
	u, err := resolve(f.script.url, word)
	if err != nil || !fetchable(u.Scheme) {
		return fail(s)
	}
	about := Reference{
		URL: u.String(), Role: c.role, Item: s.item(), When: s.when, Args: readable(strings.Join(rest(c), " ")),
		Script: where, Line: number,
	}
	ref := r.reference(about)
	r.moved(s, word, about)
	if c.effect == doBoot {
		if got, known := r.chained(u.String()); known && got.Missing {
			s.pending = ref
			return fail(s)
		}
	}
	if r.there != nil {
		if there, known := r.there(u.String()); known && there {
			s.fetched = u.String()
			return s
		} else if known {
			s.pending = ref
			return fail(s)
		}
	}
	failed := s.fork()
	failed.top().failed = true
	failed.pending = ref
	failed.when = append(failed.when, word+" failed")
	r.push(failed)
	s.fetched = u.String()
	return s
}

// rest are the words behind the file: a kernel's command line.
func rest(c parsed) []string {
	if len(c.args) < 2 || c.effect != doSelect && c.effect != doFetch && c.effect != doBoot {
		return nil
	}
	return c.args[1:]
}

// moved records where iPXE before 2026-03 looks for a relative URI once next-server was set again.
func (r *runner) moved(s *state, word string, ref Reference) {
	base, err := url.Parse(s.top().moved)
	u, wordErr := url.Parse(word)
	if s.top().moved == "" || err != nil || wordErr != nil || u.Scheme != "" {
		return
	}
	r.findHere(s, ref.Line, Warning, RelativeAfterDHCP,
		"%q is relative: iPXE before March 2026 looks for it at %s, since next-server was set again", word, base)
	if u, err = resolve(base, word); err == nil {
		ref.URL, ref.When = u.String(), append(ref.When, "iPXE is from before March 2026")
		r.reference(ref)
	}
}

// fetchable reports whether some build fetches by a scheme.
func fetchable(scheme string) bool {
	switch scheme {
	case "tftp", "http", "https", "ftp", "nfs", "slam", "file", "data":
		return true
	}
	return false
}

// shim fetches under UEFI only.
func (r *runner) shim(s *state, c parsed, number int) *state {
	if s.lookup("platform") == "pcbios" || len(c.args) == 0 {
		return s
	}
	return r.byName(s, c.args[0], c, number)
}

// disks are read piece by piece, and are not images. A disk that boots may come back.
func (r *runner) disks(s *state, c parsed, number int) *state {
	for _, a := range c.args {
		if scheme, _, has := strings.Cut(a, ":"); has && isKnown(a) && !fetchable(scheme) {
			continue // iscsi, fcp, aoe and others that are not files
		}
		if s = r.fetch(s, a, c, number); s.top().failed {
			return s
		}
	}
	r.Succeeds = true
	return r.both(s, "")
}

// boot is chain: what it names is run. A script is followed if what is in it is known; a kernel does not come back
// unless it cannot be started; a program may come back either way.
func (r *runner) boot(s *state, c parsed, number int) *state {
	if len(c.args) == 0 {
		if s.selected == "" {
			return s // prints "No image selected", and succeeds
		}
		if kernel, has := s.image(s.selected); has {
			r.booted(s, kernel)
			r.Succeeds = true
		}
		return end(s)
	}
	known, has := s.image(c.args[0])
	if has && !strings.Contains(c.args[0], "/") && r.isScript(known.url) {
		r.findHere(s, number, Warning, StaleCopy, "%s was fetched before: that copy runs again, without a request", c.args[0])
	}
	s = r.byName(s, c.args[0], c, number)
	if s.top().failed {
		return s
	}
	if c.has("autofree") {
		r.free(s, []string{imageName(c.args[0])})
	}
	return r.nested(s, s.fetched, c)
}

func (r *runner) isScript(u string) bool { _, is := r.scripts[u]; return is }

// nested runs what was fetched.
func (r *runner) nested(s *state, at string, c parsed) *state {
	replace := c.has("replace")
	if got, known := r.chained(at); known && Validate(got.Text) == nil {
		u, err := url.Parse(at)
		if err != nil {
			return fail(s)
		}
		script, _ := r.script(got.Text, u) // it is one
		if replace {
			s.frames = s.frames[:len(s.frames)-1]
		}
		if len(s.frames) >= maxDepth || len(r.order) > maxLoaded {
			r.Complete = false
			return nil
		}
		s.frames = append(s.frames, frame{script: script})
		return s
	}
	r.Succeeds = true // a program, or what is not known
	if !replace {
		return r.both(s, "")
	}
	// The script that replaces this one ends it, well or not.
	other := s.fork()
	if went := r.leave(other, true); went != nil {
		r.push(went)
	}
	return r.leave(s, false)
}
