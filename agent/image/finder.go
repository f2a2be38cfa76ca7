package image

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"pxeagent/agent/version"
)

// Bounds of a search: what is beyond is not found, and Found.Truncated says so.
const (
	maxFolders = 1000
	maxFiles   = 50_000
	maxDepth   = 10
)

// racy is the age below which a folder's time stamp may hide a later change: file systems
// count in ticks, some in seconds.
const racy = 2 * time.Second

// Found is the result of a search.
type Found struct {
	Images    []Image     // by system, newest version first
	Installed []Installed // what lies on disk as one, in the order of Images
	Truncated bool        // the tree is too large, and was not searched to its end
	// Faults are manifests that cannot be read; what they are about is not found.
	Faults []error
}

// Installed is what is added, verified and removed as one.
type Installed struct {
	Key      string    `json:"key"`
	Recipe   string    `json:"recipe"` // "": it was put there by hand
	Version  string    `json:"version,omitempty"`
	Arch     string    `json:"arch,omitempty"`
	Title    string    `json:"title"`
	Dir      string    `json:"folder"` // below the tree of HTTP; "" where by hand it shares a folder with others
	Bytes    int64     `json:"bytes"`
	Items    []string  `json:"items"` // keys of the menu's items
	Installs bool      `json:"installs,omitempty"`
	Added    time.Time `json:"added,omitzero"`    // zero: not known
	Verified time.Time `json:"verified,omitzero"` // when it was last looked at, whatever came of it; zero: never
	// Fault is what was found wrong then; "": nothing.
	Fault string `json:"fault,omitempty"`
	// Checked: each file that it was made of was compared with a checksum that its maker published or the user gave.
	Checked bool `json:"checked"`
}

// OK: it was verified, and all was well.
func (i Installed) OK() bool { return !i.Verified.IsZero() && i.Fault == "" }

// Finder finds images below a folder, and searches again only if something there has changed.
// Its methods may be called from many goroutines.
type Finder struct {
	dir string

	mu    sync.Mutex
	found Found
	seen  []seen
	valid bool
}

// seen is a folder that was read, and its time stamp then.
type seen struct {
	path  string
	mtime time.Time
	racy  bool // changed so shortly before it was read that a change after may not show
}

// NewFinder makes a Finder. The folder may come into being later.
func NewFinder(dir string) *Finder { return &Finder{dir: dir} }

// Find returns the images that are there now. Symbolic links are not followed; a folder that cannot
// be read is passed over. A missing folder has no images.
func (f *Finder) Find() (Found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	root, err := os.OpenRoot(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		f.valid = false
		return Found{}, nil
	}
	if err != nil {
		return Found{}, fmt.Errorf("looking for images: %w", err)
	}
	defer root.Close()
	if f.valid && unchanged(root, f.seen) {
		return f.found, nil
	}
	s := search{root: root, now: time.Now(), manifests: map[string]Manifest{}}
	s.walk()
	images := s.sorted()
	f.found, f.seen, f.valid = Found{
		Images:    images,
		Installed: s.installed(images),
		Truncated: s.truncated,
		Faults:    s.faults,
	}, s.seen, true
	return f.found, nil
}

func unchanged(root *os.Root, folders []seen) bool {
	for _, s := range folders {
		if s.racy {
			return false
		}
		info, err := root.Lstat(s.path)
		if err != nil || !info.ModTime().Equal(s.mtime) {
			return false
		}
	}
	return true
}

type search struct {
	root      *os.Root
	now       time.Time
	seen      []seen
	files     int
	truncated bool
	images    []Image
	manifests map[string]Manifest // by folder
	faults    []error
}

// skipped are folders that hold thousands of packages and no kernel.
var skipped = []string{"apks", "pool", "Packages", "repodata", "by-hash", "lost+found"}

// walk goes breadth first, so that what the bounds cut off is what lies deepest.
func (s *search) walk() {
	level := []string{"."}
	for range maxDepth {
		var next []string
		for _, dir := range level {
			if len(s.seen) == maxFolders || s.files >= maxFiles {
				s.truncated = true
				return
			}
			next = append(next, s.folder(dir)...)
		}
		level = next
	}
	s.truncated = len(level) > 0
}

// folder looks for images in one folder, and returns the folders in it.
func (s *search) folder(dir string) (below []string) {
	// Stat comes before reading: what changes in between is then seen next time.
	info, err := s.root.Lstat(dir)
	if err != nil {
		return nil
	}
	s.seen = append(s.seen, seen{dir, info.ModTime(), s.now.Sub(info.ModTime()) < racy})
	d, err := s.root.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, err := d.ReadDir(maxFiles - s.files)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	s.files += len(entries)
	f := folder{path: dir, has: s.has, isDir: s.isDir}
	for _, e := range entries {
		name := e.Name()
		switch {
		case name == manifestName:
			s.manifest(dir)
		case strings.HasPrefix(name, ".") || !plain(name):
		case e.IsDir() && !slices.Contains(skipped, name):
			below = append(below, path.Join(dir, name))
		case e.Type().IsRegular():
			f.files = append(f.files, name)
		}
	}
	slices.Sort(f.files)
	slices.Sort(below)
	m, top, managed := s.above(dir)
	if managed && len(m.Boot) > 0 {
		if dir == top {
			s.images = append(s.images, m.images(dir, s.has)...)
		}
		return below
	}
	for _, l := range layouts {
		for _, img := range l.find(f) {
			if managed {
				m.mark(&img, top)
				img.Args = append(img.Args, text(m.Args...)...)
				if m.Title != "" {
					img.Title = m.Title
				}
			}
			s.images = append(s.images, img)
		}
	}
	return below
}

func (s *search) manifest(dir string) {
	m, err := readManifest(s.root, dir)
	if err != nil {
		s.faults = append(s.faults, err)
		return
	}
	s.manifests[dir] = m
}

// above is the manifest of the folder, or of the nearest one that it lies in.
func (s *search) above(dir string) (Manifest, string, bool) {
	for {
		if m, ok := s.manifests[dir]; ok {
			return m, dir, true
		}
		if dir == "." {
			return Manifest{}, "", false
		}
		dir = path.Dir(dir)
	}
}

// installed are the folders with a manifest, and beside them each image that was put there by hand.
func (s *search) installed(images []Image) []Installed {
	var out []Installed
	at := map[string]int{} // by folder
	add := func(dir string, m Manifest) *Installed {
		i, there := at[dir]
		if !there {
			i = len(out)
			at[dir] = i
			in := Installed{
				Key: m.Key, Recipe: m.Recipe, Version: m.Version, Arch: m.Arch, Title: m.Title, Dir: dir, Bytes: m.bytes(),
				Installs: m.Installs,
				Added:    m.Added, Verified: m.Verified, Fault: m.Fault, Checked: len(m.Sources) > 0,
			}
			for _, src := range m.Sources {
				in.Checked = in.Checked && src.Checked != ""
			}
			out = append(out, in)
		}
		return &out[i]
	}
	for _, img := range images {
		m, dir, managed := s.above(cmp.Or(img.Dir, "."))
		if !managed {
			out = append(out, Installed{
				Key: img.Key, Version: img.Version, Title: img.Title, Dir: img.Dir, Bytes: s.bytes(img), Items: []string{img.Key},
				Installs: img.Installs,
			})
			continue
		}
		in := add(dir, m)
		in.Items = append(in.Items, img.Key)
		if m.Recipe == "" {
			in.Bytes, in.Title, in.Version = s.bytes(img), img.Title, img.Version
		}
		in.Title = cmp.Or(in.Title, img.Title)
	}
	// One whose files somebody removed has no item, and is still there to be verified and removed.
	for _, dir := range slices.Sorted(maps.Keys(s.manifests)) {
		add(dir, s.manifests[dir])
	}
	return out
}

// bytes is what the files of an image have together.
func (s *search) bytes(img Image) (n int64) {
	paths := map[string]bool{img.BIOS: true, img.EFI: true, img.Shim: true}
	for _, m := range img.Modules {
		paths[m.Path] = true
	}
	for _, a := range img.Args {
		paths[a.Path] = true
	}
	for p := range paths {
		if p == "" {
			continue
		}
		if info, err := s.root.Lstat(p); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
	}
	return n
}

// plain keeps names out of menus that would need quoting there. Nothing that a system's own
// build makes is called so.
func plain(name string) bool {
	return len(name) < 256 && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("$\\\"'`|&;#%<>?{}", r)
	})
}

func (s *search) has(file string) bool {
	info, err := s.root.Lstat(file)
	return err == nil && info.Mode().IsRegular()
}

func (s *search) isDir(dir string) bool {
	info, err := s.root.Lstat(dir)
	return err == nil && info.IsDir()
}

// family is the key of what was added as one, so that its items stay together.
func (img Image) family() string {
	if img.Recipe == "" {
		return img.Key
	}
	return key(img.Recipe, img.Version, path.Base(img.Dir))
}

// sorted orders the images for a menu and makes their keys unique.
func (s *search) sorted() []Image {
	rank := map[string]int{} // what has no layout comes last
	for i, l := range layouts {
		rank[l.system] = i - len(layouts)
	}
	slices.SortStableFunc(s.images, func(a, b Image) int {
		if a.Recipe != "" && a.Dir == b.Dir {
			return 0 // as the recipe has them
		}
		return cmp.Or(
			cmp.Compare(rank[a.System], rank[b.System]),
			cmp.Compare(a.System, b.System),
			version.Compare(b.family(), a.family()),
			cmp.Compare(a.BIOS+a.EFI, b.BIOS+b.EFI),
		)
	})
	used := map[string]bool{}
	for i := range s.images {
		base := s.images[i].Key
		for n := 2; used[s.images[i].Key]; n++ {
			s.images[i].Key = fmt.Sprintf("%s-%d", base, n)
		}
		used[s.images[i].Key] = true
	}
	return s.images
}
