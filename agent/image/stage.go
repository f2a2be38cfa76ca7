package image

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// stage makes the image's folder out of its files, and looks whether it can be booted.
func (s *Store) stage(r Recipe, words vocabulary, o Order, sources []source, m *Manifest, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing what an earlier run left: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the image's folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("making the image's folder: %w", err)
	}
	defer root.Close()
	free, err := freeSpace(dir)
	if err != nil {
		return fmt.Errorf("asking how much space %s has: %w", dir, err)
	}
	u := newUnpacker(root, s.max, max(free-spare, 0), r.Drop)
	for _, src := range sources {
		if err := s.place(u, words, src, dir); err != nil {
			return err
		}
	}
	if err := u.finish(); err != nil {
		return err
	}
	files, err := s.measure(root)
	if err != nil {
		return err
	}
	m.Files = files
	has := func(p string) bool { return slices.ContainsFunc(files, func(f FileSum) bool { return f.Path == p }) }
	for _, p := range r.Need {
		if p := words.expand(p); !has(p) {
			return fmt.Errorf("%w: it has no %s", ErrUnbootable, p)
		}
	}
	if err := s.checkHashed(r.Hashed, words, root, has); err != nil {
		return err
	}
	if m.Boot, err = entries(r, words, o, m.Key, files); err != nil {
		return err
	}
	if len(r.Boot) == 0 && !recognised(dir) {
		return fmt.Errorf("%w: its files are not laid out as those of %s", ErrUnbootable, r.Name)
	}
	if err := m.write(dir); err != nil {
		return fmt.Errorf("writing the image's manifest: %w", err)
	}
	return nil
}

// recognised: some layout finds an image there.
func recognised(dir string) bool {
	found, err := NewFinder(dir).Find()
	return err == nil && len(found.Images) > 0
}

// place unpacks a file into the folder, or moves or copies it there.
func (s *Store) place(u *unpacker, words vocabulary, src source, dir string) error {
	f, err := os.Open(src.path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	defer f.Close()
	to := words.expand(src.want.To)
	if src.want.Unpack {
		if to == "" {
			to = "."
		}
		if err := checkSpace(dir, unpackedSize(f), src.name+" unpacked"); err != nil {
			return err
		}
		m := s.report.meter("unpacking "+src.name, 0, src.Bytes)
		err := u.archive(f, src.Bytes, to, src.want.Strip, m)
		if err != nil {
			return fmt.Errorf("%s: %w", src.name, err)
		}
		m.end()
		return nil
	}
	switch {
	case to == "" && len(src.want.names) > 0 && !src.want.fits(offered{name: src.name}):
		to = src.want.names[0] // taken whatever it was called
	case to == "":
		to = src.name
	case src.want.Many || to == ".":
		to = path.Join(to, src.name)
	}
	if _, err := cleanMember(to); err != nil {
		return err
	}
	if src.partial != nil {
		return u.move(src.path, dir, to)
	}
	if err := checkSpace(dir, src.Bytes, src.name); err != nil {
		return err
	}
	m := s.report.meter("copying "+src.name, 0, src.Bytes)
	if err := u.write(to, io.TeeReader(f, m), src.Bytes); err != nil {
		return fmt.Errorf("%s: %w", src.name, err)
	}
	m.end()
	return nil
}

// move brings a file that lies on the same disk into the folder.
func (u *unpacker) move(file, dir, to string) error {
	if err := u.mkdir(path.Dir(to)); err != nil {
		return err
	}
	u.files[to] = true
	if err := os.Rename(file, filepath.Join(dir, filepath.FromSlash(to))); err != nil {
		return fmt.Errorf("moving the download: %w", err)
	}
	return nil
}

// measure hashes all files of the folder, in the order of their names, and brings them to disk.
func (s *Store) measure(root *os.Root) ([]FileSum, error) {
	var out []FileSum
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := root.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		sum, err := sumOf(f, sha256Sum)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		out = append(out, FileSum{p, info.Size(), string(sum)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the image: %w", err)
	}
	return out, nil
}

// checkHashed compares files of an image with the checksums that lie beside them. Files without one are reported.
func (s *Store) checkHashed(all []Hashed, words vocabulary, root *os.Root, has func(string) bool) error {
	for _, h := range all {
		file, by := words.expand(h.File), words.expand(h.By)
		if !has(by) {
			s.report.step(fmt.Sprintf("%s has no checksum beside it", path.Base(file)))
			continue
		}
		if err := checkBeside(root, file, by); err != nil {
			return err
		}
		s.report.step(fmt.Sprintf("%s agrees with %s", path.Base(file), path.Base(by)))
	}
	return nil
}

// checkBeside compares one file with the checksum in another.
func checkBeside(root *os.Root, file, by string) error {
	text, err := fs.ReadFile(root.FS(), by)
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	want, ok := parseChecksum(word)
	if !ok {
		return fmt.Errorf("%w: %s holds none", ErrChecksum, by)
	}
	f, err := root.Open(file)
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	defer f.Close()
	got, err := sumOf(f, want.kind())
	if err != nil {
		return fmt.Errorf("reading the image: %w", err)
	}
	if got != want {
		return wrongSum(file, want, got, path.Base(by))
	}
	return nil
}

// entries are the menu's items of a recipe, as far as the files are there. None, of a recipe that has some, is an
// error.
func entries(r Recipe, words vocabulary, o Order, key string, files []FileSum) ([]bootEntry, error) {
	find := func(pattern string) []string {
		var out []string
		for _, f := range files {
			if ok, _ := path.Match(words.expand(pattern), f.Path); ok {
				out = append(out, f.Path)
			}
		}
		return out
	}
	first := func(pattern string) string {
		if all := find(pattern); pattern != "" && len(all) > 0 {
			return all[0]
		}
		return ""
	}
	cpu := cpus[o.Arch]
	var out []bootEntry
	lacks := ""
	for _, b := range r.Boot {
		e := bootEntry{Key: key, Title: words.expand(b.Title), Kind: b.Kind, CPU: cpu, EFI: first(b.EFI)}
		if cpu == X86 {
			e.BIOS = first(b.BIOS)
		}
		if e.BIOS == "" && e.EFI == "" {
			lacks = words.expand(b.BIOS + b.EFI)
			continue
		}
		if e.EFI != "" {
			e.Shim = first(b.Shim)
		}
		if b.Key != "" && len(out) > 0 {
			e.Key += "-" + b.Key
		}
		if e.Kind == "" {
			e.Kind = KindLinux
		}
		if o.Title != "" {
			e.Title = o.Title
			if len(out) > 0 {
				e.Title += " (" + b.Key + ")"
			}
		} else if e.Title == "" {
			e.Title = words.expand(r.Title)
		}
		if o.Arch != "" && o.Arch != "amd64" {
			e.Title += " (" + o.Arch + ")"
		}
		complete := true
		for _, x := range b.Modules {
			all := find(x.Path)
			if len(all) == 0 && x.Need {
				complete, lacks = false, words.expand(x.Path)
			}
			for _, p := range all {
				e.Modules = append(e.Modules, bootModule{p, x.Args, x.Name})
				if e.Kind == KindLinux && e.EFI != "" {
					// Under EFI the kernel finds its initrd by this name, and only so.
					e.Args = append(e.Args, bootArg{Text: "initrd=" + path.Base(p)})
				}
			}
		}
		if !complete {
			continue
		}
		for _, a := range b.Args {
			text, p := cutURL(a)
			e.Args = append(e.Args, bootArg{words.expand(text), words.expand(p)})
		}
		for _, a := range o.Args {
			e.Args = append(e.Args, bootArg{Text: a})
		}
		out = append(out, e)
	}
	if len(r.Boot) > 0 && len(out) == 0 {
		return nil, fmt.Errorf("%w: it has no %s", ErrUnbootable, lacks)
	}
	return out, nil
}

// writePrivate writes a file that only this user reads.
func writePrivate(file string, text []byte) error { return renameio.WriteFile(file, text, 0o600) }

// readSmall reads a file of at most that many bytes.
func readSmall(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
