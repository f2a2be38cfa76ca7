package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// wanted is a file of a recipe in the words of one version.
type wanted struct {
	File
	names []string       // that it may have, the likeliest first
	match *regexp.Regexp // nil: no others
	// prefer is for the path below --from; nil: each is as good.
	prefer *regexp.Regexp
}

func (r Recipe) wanted(w vocabulary) ([]wanted, error) {
	var out []wanted
	for _, f := range r.Files {
		want := wanted{File: f}
		if f.Name != "" {
			want.names = []string{w.expand(f.Name)}
		}
		for text, to := range map[string]**regexp.Regexp{f.Match: &want.match, f.Prefer: &want.prefer} {
			if text == "" {
				continue
			}
			re, err := w.pattern(text)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrRecipe, r.Name, err)
			}
			*to = re
		}
		out = append(out, want)
	}
	return out, nil
}

// lists: the file is a list of checksums of another, which no maker publishes a checksum of in turn.
func (w wanted) lists(all []wanted) bool {
	return w.URL != "" && slices.ContainsFunc(all, func(o wanted) bool {
		return slices.ContainsFunc(o.Sums, func(l Sums) bool { return l.URL == w.URL })
	})
}

// name is the file's for people.
func (w wanted) name() string {
	if len(w.names) > 0 {
		return w.names[0]
	}
	return "a file called " + w.Match
}

// offered is a file that --from names: a path or a URL.
type offered struct {
	name string // base name
	path string // "" for a URL
	url  string
	root string // the folder that --from names and it lies in; "": it was named itself
	rel  string // its path below root, with slashes
}

// maxOffered bounds how many files of a folder are looked at: --from / is a mistake.
const maxOffered = 100_000

// offers lists what --from names, folders with all that is in them.
func offers(from []string) ([]offered, error) {
	var out []offered
	for _, f := range from {
		if isURL(f) {
			if err := checkURL(f); err != nil {
				return nil, fmt.Errorf("%w: from: %w", ErrOrder, err)
			}
			u, _ := url.Parse(f)
			out = append(out, offered{name: path.Base(u.Path), url: f})
			continue
		}
		info, err := os.Stat(f)
		if err != nil {
			return nil, fmt.Errorf("looking at what to add: %w", err)
		}
		if !info.IsDir() {
			out = append(out, offered{name: filepath.Base(f), path: f})
			continue
		}
		err = filepath.WalkDir(f, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return fmt.Errorf("looking at what to add: %w", err)
			}
			if d.Type().IsRegular() {
				rel, err := filepath.Rel(f, p)
				if err != nil {
					return err
				}
				out = append(out, offered{name: d.Name(), path: p, root: filepath.Clean(f), rel: filepath.ToSlash(rel)})
			}
			if len(out) > maxOffered {
				return fmt.Errorf("%w: %s has more than %d files", ErrOrder, f, maxOffered)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func isURL(s string) bool { return strings.Contains(s, "://") }

// listName is the base name of a list of checksums.
func listName(u string) string { return path.Base(u) }

// expected is what a file's checksum should be, and where that is said.
type expected struct {
	sums  []checksum // of one kind; it must have one of them. None: nothing says it
	where string     // for people: "…/sha256sums.txt"
	name  string     // of the file in the list
	// lacking is a list that lies beside the file and does not name it; must: it ought to.
	lacking string
	must    bool
}

// published looks for the file in the lists of a mirror, and returns the names under which they have it, the likeliest
// first. None where the recipe has no lists. ErrUnverified: it has some, and none names the file; absent: because they
// are not there. ErrNotFound: the same of an optional file, which is then not there.
func (s *Store) published(
	ctx context.Context, mirror string, words vocabulary, w wanted,
) (out []expected, absent bool, err error) {
	var lacking, missing []string
	for _, l := range w.Sums {
		for _, name := range append(slices.Clone(w.names), "") {
			if name == "" && len(w.names) > 0 {
				break
			}
			at := join(mirror, withFile(words, name).expand(l.URL))
			got, err := s.inList(ctx, mirror, words, l, at, w)
			switch {
			case errors.Is(err, ErrNotFound) && l.Optional:
			case errors.Is(err, ErrNotFound):
				missing = append(missing, shownURL(at))
			case errors.Is(err, errNotListed):
				lacking = append(lacking, shownURL(at))
			default:
				return got, false, err
			}
		}
	}
	switch {
	case len(lacking) > 0 && w.Optional: // where its maker has it, the list names it
		return nil, false, fmt.Errorf("%w: %s does not name %s", ErrNotFound, strings.Join(lacking, ", "), w.name())
	case len(lacking) > 0:
		return nil, false, fmt.Errorf("%w: %s does not name %s", ErrUnverified, strings.Join(lacking, ", "), w.name())
	case len(missing) > 0:
		return nil, true, fmt.Errorf("%w: the server has no %s to look up %s in",
			ErrUnverified, strings.Join(missing, ", "), w.name())
	}
	return nil, false, nil
}

var errNotListed = errors.New("it is not listed")

// maxListed is under how many names a file is looked for: a list may have files that are not there.
const maxListed = 5

// inList fetches one list, checks it against the lists that have its own checksum, and looks the file up.
func (s *Store) inList(
	ctx context.Context, mirror string, words vocabulary, l Sums, at string, w wanted,
) ([]expected, error) {
	text, _, err := s.fetch.text(ctx, at, maxList)
	if err != nil {
		return nil, fmt.Errorf("the list of checksums: %w", err)
	}
	if len(l.In) > 0 {
		list := wanted{File: File{Sums: l.In}, names: []string{listName(at)}}
		want, _, err := s.published(ctx, mirror, words, list)
		if err != nil {
			return nil, err
		}
		if len(want) > 0 {
			got, err := sumOf(strings.NewReader(string(text)), want[0].sums[0].kind())
			if err != nil {
				return nil, err
			}
			if !slices.Contains(want[0].sums, got) {
				return nil, wrongSum(shownURL(at), want[0].sums[0], got, want[0].where)
			}
		}
	}
	names := w.names
	if l.As != "" {
		names = []string{words.expand(l.As)}
	}
	var out []expected
	list := parseSums(text)
	for len(out) < maxListed {
		found, ok := pick(list, names, w.match)
		if !ok {
			break
		}
		name := path.Base(found.name)
		if l.As != "" || found.name == nameless {
			name = w.names[0]
		}
		out = append(out, expected{sums: []checksum{found.sum}, where: shownURL(at), name: name})
		list = slices.DeleteFunc(list, func(o listed) bool { return path.Base(o.name) == path.Base(found.name) })
	}
	if len(out) == 0 {
		return nil, errNotListed
	}
	return out, nil
}

func withFile(words vocabulary, name string) vocabulary {
	out := vocabulary{"file": name}
	for k, v := range words {
		out[k] = v
	}
	return out
}

// join is a URL below a mirror's.
func join(mirror, p string) string {
	return strings.TrimSuffix(mirror, "/") + "/" + strings.TrimPrefix(p, "/")
}
