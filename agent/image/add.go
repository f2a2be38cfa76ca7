package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Order is an image to be added.
type Order struct {
	Recipe  string
	Version string   // "latest": the newest that the mirrors have
	Arch    string   // amd64, arm64, or as the maker calls it; "": amd64
	From    []string // files, folders and URLs in place of the mirrors
	SHA256  string   // in hex, for the one file that is fetched
	Mirrors []string // in place of the recipe's
	Title   string   // for the menu, in place of the recipe's
	Args    []string // more arguments for the kernel
	Replace bool     // fetch it even where it is there already
}

// source is a file on its way into an image.
type source struct {
	want    wanted
	name    string // that it has
	path    string // where it lies now
	partial *partial
	Source
}

// Add adds an image and returns it. Whatever goes wrong, and whenever the process ends, what was in its place stays there. ErrThere: it is
// there already, and Replace is not set; the image is returned as well.
func (s *Store) Add(ctx context.Context, o Order) (in Installed, err error) {
	o, key, err := s.Resolve(ctx, o)
	if err != nil {
		return Installed{}, err
	}
	r, err := s.recipe(o.Recipe)
	if err != nil {
		return Installed{}, err
	}
	words, err := r.words(o.Version, o.Arch)
	if err != nil {
		return Installed{}, err
	}
	folder := path.Clean(words.expand(r.Folder))
	unlock, err := s.begin(key)
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(s.Dir, filepath.FromSlash(folder))); err == nil && !o.Replace {
		return s.there(key, folder)
	}
	sources, err := s.gather(ctx, r, o, words)
	defer func() {
		// Where there is no room, what was fetched takes more of it.
		if err == nil || errors.Is(err, ErrNoSpace) {
			forget(sources)
		}
	}()
	if err != nil {
		return Installed{}, err
	}
	m := Manifest{
		Key: key, Recipe: r.Name, Version: o.Version, Arch: o.Arch, Title: o.Title, Args: o.Args, Installs: r.Installs, Added: s.now().UTC().Truncate(time.Second),
	}
	m.Verified = m.Added
	for _, src := range sources {
		m.Sources = append(m.Sources, src.Source)
	}
	staged := filepath.Join(s.own(newDir), key)
	defer os.RemoveAll(staged)
	if err := s.stage(r, words, o, sources, &m, staged); err != nil {
		return Installed{}, err
	}
	if err := ctx.Err(); err != nil {
		return Installed{}, err
	}
	if len(o.From) == 0 {
		if err := s.private(ctx, r, o, words, key); err != nil {
			return Installed{}, err
		}
	}
	if err := s.switchOver(staged, folder, key); err != nil {
		return Installed{}, err
	}
	return s.Find(key)
}

// forget removes the downloads of what was fetched.
func forget(sources []source) {
	for _, src := range sources {
		if src.partial != nil {
			src.partial.forget()
		}
	}
}

// there is the answer where the folder exists.
func (s *Store) there(key, folder string) (Installed, error) {
	in, err := s.Find(key)
	if errors.Is(err, ErrNoImage) {
		return in, fmt.Errorf("%w: the folder %s", ErrThere, folder)
	}
	if err != nil {
		return in, err
	}
	return in, fmt.Errorf("%w: %s", ErrThere, in.Key)
}

// gather brings all files of an image to this disk and checks them.
func (s *Store) gather(ctx context.Context, r Recipe, o Order, words vocabulary) ([]source, error) {
	all, err := r.wanted(words)
	if err != nil {
		return nil, err
	}
	given := checksum("")
	if o.SHA256 != "" {
		var ok bool
		if given, ok = parseChecksum(o.SHA256); !ok || given.kind() != sha256Sum {
			return nil, fmt.Errorf("%w: %q is no SHA-256; want 64 hex digits", ErrOrder, o.SHA256)
		}
	}
	var out []source
	if len(o.From) > 0 {
		out, err = s.gatherFrom(ctx, r, o, words, all, given)
	} else {
		for _, w := range all {
			if w.Instead {
				continue
			}
			src, ok, err := s.fromMirrors(ctx, r, o, words, w, given)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, src)
			}
		}
	}
	for i := range out {
		if s := &out[i]; s.Checked == "" && s.want.lists(all) {
			s.Checked = "the checksums of the others"
		}
	}
	if err == nil && given != "" && len(out) != 1 {
		err = fmt.Errorf("%w: --sha256 is for one file, and this image is made of %d", ErrOrder, len(out))
	}
	return out, err
}

// gatherFrom takes the files that the user names.
func (s *Store) gatherFrom(ctx context.Context, r Recipe, o Order, words vocabulary, all []wanted, given checksum) ([]source, error) {
	have, err := offers(o.From)
	if err != nil {
		return nil, err
	}
	var required []wanted
	instead := false
	for _, w := range all {
		instead = instead || w.Instead && len(w.fits(have)) > 0
		if !w.Optional && !w.Instead {
			required = append(required, w)
		}
	}
	var out []source
	used := map[offered]bool{}
	for _, w := range all {
		fits := w.fits(have)
		if len(fits) == 0 && len(required) == 1 && !w.Optional && !w.Instead && len(have) == 1 && !instead {
			fits = have // one file for one: it may be called as it likes
		}
		fits = slices.DeleteFunc(fits, func(f offered) bool { return used[f] })
		switch {
		case len(fits) == 0 && (w.Optional || w.Instead || instead):
			continue
		case len(fits) == 0 && w.Fill:
			src, _, err := s.fromMirrors(ctx, r, o, words, w, "")
			if err != nil {
				return nil, err
			}
			out = append(out, src)
			continue
		case len(fits) == 0:
			return nil, fmt.Errorf("%w: %s has no file for it: %s", ErrOrder, strings.Join(o.From, ", "), w.name())
		case !w.Many:
			fits = fits[:1]
		}
		for _, f := range fits {
			used[f] = true
			src, err := s.fromOffer(ctx, words, w, f, given)
			if err != nil {
				return nil, err
			}
			out = append(out, src)
		}
	}
	return out, nil
}

// fromOffer takes one file that the user names.
func (s *Store) fromOffer(ctx context.Context, words vocabulary, w wanted, f offered, given checksum) (source, error) {
	if f.url != "" {
		want := expected{given, "--sha256", f.name}
		if given == "" {
			lists := w
			lists.names, lists.Sums = []string{f.name}, nil
			for _, l := range w.Sums {
				lists.Sums = append(lists.Sums, Sums{URL: listName(withFile(words, f.name).expand(l.URL)), As: ""})
			}
			var err error
			if want, err = s.published(ctx, strings.TrimSuffix(f.url, f.name), words, lists); err != nil {
				return source{}, err
			}
		}
		return s.download(ctx, w, f.url, f.name, want)
	}
	want := expected{given, "--sha256", f.name}
	if given == "" {
		want = beside(f.path, words, w)
	}
	src := source{want: w, name: f.name, path: f.path, Source: Source{From: f.path}}
	return src, s.checkFile(&src, want)
}

// fromMirrors fetches one file. ok is false where it is optional and nowhere.
func (s *Store) fromMirrors(ctx context.Context, r Recipe, o Order, words vocabulary, w wanted, given checksum) (src source, ok bool, err error) {
	_, err = s.onMirrors(r, o, func(mirror string) (string, error) {
		want := expected{sum: given, where: "--sha256"}
		if given == "" {
			var err error
			if want, err = s.published(ctx, mirror, words, w); err != nil {
				return "", err
			}
		}
		name := want.name
		if name == "" {
			if len(w.names) == 0 {
				return "", fmt.Errorf("%w: no list on %s has %s", ErrNotFound, shownURL(mirror), w.name())
			}
			name = w.names[0]
		}
		at := withFile(words, name).expand(w.URL)
		if at == "" {
			at = name
		}
		var err error
		src, err = s.download(ctx, w, join(mirror, at), name, want)
		return "", err
	})
	switch {
	case err == nil:
		return src, true, nil
	case errors.Is(err, ErrNotFound) && w.Optional:
		return source{}, false, nil
	case errors.Is(err, ErrNotFound):
		return source{}, false, fmt.Errorf("%w of %s: %s: %w", ErrNoVersion, r.Name, words["version"], err)
	}
	return source{}, false, err
}

// download fetches a file and checks it. One that was put together from the tries of several runs and is wrong is fetched once more.
func (s *Store) download(ctx context.Context, w wanted, from, name string, want expected) (source, error) {
	for again := false; ; again = true {
		room := func(rest int64) error {
			need := max(rest, 0)
			if w.Unpack {
				need *= 4 // the archive, and about three times of it unpacked
			}
			return checkSpace(s.own(partialDir), need, name)
		}
		p, resumed, err := s.fetch.file(ctx, from, name, room)
		if err != nil {
			return source{}, err
		}
		src := source{want: w, name: name, path: p.path, partial: &p, Source: Source{From: shownURL(from)}}
		err = s.checkFile(&src, want)
		if !errors.Is(err, ErrChecksum) {
			return src, err
		}
		p.forget()
		if !resumed || again {
			return source{}, err
		}
		s.report.step(fmt.Sprintf("%v; fetching all of it again", err))
	}
}

// checkFile hashes a file and compares it with what it should be.
func (s *Store) checkFile(src *source, want expected) error {
	f, err := os.Open(src.path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	defer f.Close()
	ours, theirs := sha256Sum.new(), want.sum.kind().new()
	out := io.Writer(ours)
	if want.sum != "" {
		out = io.MultiWriter(ours, theirs)
	}
	if src.Bytes, err = io.Copy(out, f); err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	src.SHA256 = fmt.Sprintf("%x", ours.Sum(nil))
	if want.sum == "" {
		s.report.step(fmt.Sprintf("%s: no checksum is published; its SHA-256 is %s", src.name, src.SHA256))
		return nil
	}
	if got := checksum(fmt.Sprintf("%x", theirs.Sum(nil))); got != want.sum {
		return wrongSum(src.name, want.sum, got, want.where)
	}
	src.Checked = fmt.Sprintf("%s in %s", want.sum.kind(), want.where)
	if want.where == "--sha256" {
		src.Checked = "SHA-256 as given"
	}
	s.report.step(fmt.Sprintf("%s: %s agrees with %s", src.name, want.sum.kind(), want.where))
	return nil
}

// private keeps what comes with the image and is not for everyone where only this user reads it.
func (s *Store) private(ctx context.Context, r Recipe, o Order, words vocabulary, key string) error {
	if s.PrivateDir == "" {
		return nil
	}
	for _, p := range r.Private {
		at := words.expand(p)
		_, err := s.onMirrors(r, o, func(mirror string) (string, error) {
			text, _, err := s.fetch.text(ctx, join(mirror, at), 64<<10)
			if err != nil {
				return "", err
			}
			dir := filepath.Join(s.PrivateDir, key)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return "", fmt.Errorf("keeping %s: %w", path.Base(at), err)
			}
			file := filepath.Join(dir, path.Base(at))
			if err := writePrivate(file, text); err != nil {
				return "", fmt.Errorf("keeping %s: %w", path.Base(at), err)
			}
			s.report.step(fmt.Sprintf("%s is kept in %s, which is not served", path.Base(at), file))
			return "", nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDownload) {
			return err
		}
	}
	return nil
}
