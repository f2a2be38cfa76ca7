package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/secureboot"
)

// Order is an image to be added.
type Order struct {
	Recipe  string
	Version string   // "latest": the newest that the mirrors have
	Arch    string   // amd64, arm64, or as the maker calls it; "": amd64
	From    []string // files, folders and URLs in place of the mirrors
	SHA256  string   // in hex, of the file; of several, separated by commas
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

// Add adds an image and returns it. Whatever goes wrong, and whenever the process ends, what was in its place stays
// there. ErrThere: it is there already, and Replace is not set; the image is returned as well.
func (s *Store) Add(ctx context.Context, o Order) (in Installed, err error) {
	o, key, err := s.Resolve(ctx, o)
	if err != nil {
		return Installed{}, err
	}
	r, err := s.recipe(o.Recipe)
	if err != nil {
		return Installed{}, err
	}
	r = r.forArch(o.Arch)
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
		Key: key, Recipe: r.Name, Version: o.Version, Arch: o.Arch, Title: o.Title, Args: o.Args, Installs: r.Installs,
		Added: s.now().UTC().Truncate(time.Second),
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

// checkFile hashes a file and compares it with what it should be.
func (s *Store) checkFile(src *source, want expected) error {
	f, err := os.Open(src.path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	defer f.Close()
	ours := sha256Sum.new()
	theirs, out := ours, io.Writer(ours)
	if len(want.sums) > 0 && want.sums[0].kind() != sha256Sum {
		theirs = want.sums[0].kind().new()
		out = io.MultiWriter(ours, theirs)
	}
	if src.Bytes, err = io.Copy(out, f); err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	src.SHA256 = fmt.Sprintf("%x", ours.Sum(nil))
	if len(want.sums) == 0 {
		if err := s.refusePage(f, *src); err != nil {
			return err
		}
		if src.want.Signed && signedByMicrosoft(f, src.Bytes) {
			src.Checked = "the signature of Microsoft's UEFI CA"
			return nil
		}
		why := "no checksum is published"
		if want.lacking != "" {
			why = want.lacking + " does not name it"
		}
		s.report.step(fmt.Sprintf("%s: %s; its SHA-256 is %s", src.name, why, src.SHA256))
		return nil
	}
	kind := want.sums[0].kind()
	if got := checksum(fmt.Sprintf("%x", theirs.Sum(nil))); !slices.Contains(want.sums, got) {
		return wrongSum(src.name, want.sums[0], got, want.where)
	}
	src.Checked = fmt.Sprintf("%s in %s", kind, want.where)
	if want.where == "--sha256" {
		src.Checked = "SHA-256 as given"
	}
	s.report.step(fmt.Sprintf("%s: %s agrees with %s", src.name, kind, want.where))
	return nil
}

// refusePage fails where a download that no checksum tells about is a page for people, as the login of a network is:
// no image begins so.
func (s *Store) refusePage(f io.ReaderAt, src source) error {
	head := make([]byte, 512)
	n, _ := f.ReadAt(head, 0)
	if src.partial == nil || !strings.HasPrefix(http.DetectContentType(head[:n]), "text/html") {
		return nil
	}
	src.partial.forget()
	return fmt.Errorf("%w: %s is a page for people, not the file%w", ErrDownload, src.From, errLasting)
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

// signedByMicrosoft reports whether a file of that length is a program which firmware runs under Secure Boot.
func signedByMicrosoft(f io.ReaderAt, length int64) bool {
	if length > secureboot.MaxProgram {
		return false
	}
	program, err := io.ReadAll(io.NewSectionReader(f, 0, length))
	if err != nil {
		return false
	}
	p, err := secureboot.Inspect(program)
	return err == nil && (p.By(secureboot.Microsoft2011) || p.By(secureboot.Microsoft2023))
}
