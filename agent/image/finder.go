package image

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
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
	Images    []Image // by system, newest version first
	Truncated bool    // the tree is too large, and was not searched to its end
}

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
	s := search{root: root, now: time.Now()}
	s.walk()
	f.found, f.seen, f.valid = Found{s.sorted(), s.truncated}, s.seen, true
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
		case strings.HasPrefix(name, ".") || !plain(name):
		case e.IsDir() && !slices.Contains(skipped, name):
			below = append(below, path.Join(dir, name))
		case e.Type().IsRegular():
			f.files = append(f.files, name)
		}
	}
	slices.Sort(f.files)
	slices.Sort(below)
	for _, l := range layouts {
		s.images = append(s.images, l.find(f)...)
	}
	return below
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

// sorted orders the images for a menu and makes their keys unique.
func (s *search) sorted() []Image {
	rank := map[string]int{}
	for i, l := range layouts {
		rank[l.system] = i
	}
	slices.SortStableFunc(s.images, func(a, b Image) int {
		return cmp.Or(cmp.Compare(rank[a.System], rank[b.System]), cmp.Compare(b.Key, a.Key),
			cmp.Compare(a.BIOS+a.EFI, b.BIOS+b.EFI))
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
