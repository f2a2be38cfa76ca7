package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/durable"
	"pxeagent/agent/guard"
	"pxeagent/agent/version"
)

// Config is where a Store keeps what.
type Config struct {
	Dir string // the tree of HTTP: images are below it
	// RecipeDir has the user's own recipes; "": there are none.
	RecipeDir string
	// PrivateDir is for what comes with an image and is not served: passwords. "": it is not fetched.
	PrivateDir string
	Mirrors    map[string][]string // by recipe: in place of its own
	Report     func(Event)         // nil: nobody
	Guard      *guard.Guard        // makes a panic the failure of one image of a sync; nil: nothing does
}

// Store adds, verifies and removes images. Work of its own lies in a folder of Dir that is neither served nor searched,
// so that an image comes into being by a rename: whole, or not at all. Several processes may use one folder at once.
type Store struct {
	Config
	finder  *Finder
	fetch   *fetcher
	report  reporter
	max     limits
	now     func() time.Time
	recipes []Recipe
	faults  error // of recipes
}

// The folders of the Store's own, below Dir/.pxeagent.
const (
	newDir     = "new"      // images on their way
	oldDir     = "old"      // images that were replaced
	lockDir    = "lock"     // a lock for each image's key
	partialDir = "download" // downloads that are not complete
)

// NewStore opens one. It writes nothing before it is asked for something. Recipes of the user's that are wrong do not
// keep others from being used: see Recipes.
func NewStore(c Config) (*Store, error) {
	all, err := Recipes(c.RecipeDir)
	if all == nil {
		return nil, err
	}
	c.Dir = filepath.Clean(c.Dir)
	s := &Store{
		Config:  c,
		finder:  NewFinder(c.Dir),
		report:  c.Report,
		max:     anImage,
		now:     time.Now,
		recipes: all,
		faults:  err,
	}
	for i, r := range s.recipes {
		if m := c.Mirrors[r.Name]; len(m) > 0 {
			s.recipes[i].Mirrors = m
			for a, e := range r.PerArch {
				e.Mirrors = m
				r.PerArch[a] = e
			}
		}
	}
	s.fetch = newFetcher(partials(s.own(partialDir)), s.report)
	return s, nil
}

// Recipes are those that can be used, by name. The error is about the user's that cannot; both may be there.
func (s *Store) Recipes() ([]Recipe, error) { return s.recipes, s.faults }

// List is what is on disk, by system, newest first: what recipes added and what was put there by hand.
func (s *Store) List() ([]Installed, error) {
	found, err := s.finder.Find()
	return found.Installed, err
}

func (s *Store) own(dir string) string { return filepath.Join(s.Dir, ourPrefix, dir) }

// Find is the image of that key, or that has a menu item of that key.
func (s *Store) Find(key string) (Installed, error) {
	all, err := s.List()
	if err != nil {
		return Installed{}, err
	}
	for _, in := range all {
		if in.Key == key || slices.Contains(in.Items, key) {
			return in, nil
		}
	}
	return Installed{}, fmt.Errorf("%w: %q", ErrNoImage, key)
}

// recipe is the one of that name.
func (s *Store) recipe(name string) (Recipe, error) {
	r, ok := findRecipe(s.recipes, name)
	if ok {
		return r, nil
	}
	if s.faults != nil {
		return r, fmt.Errorf("%w: %q; and %w", ErrNoRecipe, name, s.faults)
	}
	return r, fmt.Errorf("%w: %q", ErrNoRecipe, name)
}

// Resolve is an order with everything in it: the recipe's own name, the version that latest is now, and the image's
// key.
func (s *Store) Resolve(ctx context.Context, o Order) (Order, string, error) {
	r, err := s.recipe(o.Recipe)
	if err != nil {
		return o, "", err
	}
	o.Recipe = r.Name
	arch, theirs, err := r.arch(o.Arch)
	if err != nil {
		return o, "", err
	}
	o.Arch = arch
	r = r.forArch(arch)
	if o.Version == "latest" {
		if o.Version, err = s.latest(ctx, r, o, vocabulary{"arch": theirs, "cpu": arch}); err != nil {
			return o, "", err
		}
	}
	if _, err := r.words(o.Version, arch); err != nil {
		return o, "", err
	}
	return o, r.key(o.Version, arch), nil
}

// begin makes the Store's own folders, takes the lock of a key, and clears away what killed runs left behind.
func (s *Store) begin(key string) (unlock func(), err error) {
	// What is above it is the operator's to make: a name mistyped must not become a folder.
	if err := os.Mkdir(s.Dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the folder of HTTP: %w", err)
	}
	for _, d := range []string{newDir, oldDir, lockDir, partialDir} {
		if err := os.MkdirAll(s.own(d), 0o700); err != nil {
			return nil, fmt.Errorf("making a folder of our own: %w", err)
		}
	}
	unlock, err = lock(filepath.Join(s.own(lockDir), key))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	s.sweep(key)
	return unlock, nil
}

// sweep clears away what killed runs left, of images that nobody works on now. mine is the key whose lock is held.
func (s *Store) sweep(mine string) {
	partials(s.own(partialDir)).sweep(s.now())
	for _, d := range []string{newDir, oldDir} {
		entries, _ := os.ReadDir(s.own(d))
		for _, e := range entries {
			key := e.Name()
			if key != mine {
				unlock, err := lock(filepath.Join(s.own(lockDir), key))
				if err != nil {
					continue
				}
				defer unlock()
			}
			if d == oldDir {
				s.putBack(filepath.Join(s.own(d), key))
			}
			os.RemoveAll(filepath.Join(s.own(d), key))
		}
	}
}

// errNoExchange: two folders cannot be swapped in one step.
var errNoExchange = errors.New("no exchange")

// switchOver makes the folder staged be Dir/folder, in one step. The one before goes to old, to be removed. Where the
// system cannot swap two folders, there is a moment without either, after which the old one is put back by the next
// run.
func (s *Store) switchOver(staged, folder, key string) error {
	to := filepath.Join(s.Dir, filepath.FromSlash(folder))
	old := filepath.Join(s.own(oldDir), key)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("making the folder for the image: %w", err)
	}
	_, err := os.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = os.Rename(staged, to)
	case err == nil:
		if err = exchange(staged, to); err == nil {
			err = os.RemoveAll(staged)
		} else if errors.Is(err, errNoExchange) {
			err = s.replaceInTwo(staged, to, old, folder)
		}
	}
	if err != nil {
		return fmt.Errorf("switching over to the image: %w", err)
	}
	return durable.SyncDir(filepath.Dir(to))
}

// wasIn is the file in a replaced image that says where it was.
const wasIn = ourPrefix + ".was"

func (s *Store) replaceInTwo(staged, to, old, folder string) error {
	if err := os.WriteFile(filepath.Join(to, wasIn), []byte(folder), 0o600); err != nil {
		return err
	}
	if err := os.Rename(to, old); err != nil {
		return err
	}
	if err := os.Rename(staged, to); err != nil {
		s.putBack(old)
		return err
	}
	return os.RemoveAll(old)
}

// putBack puts a replaced image back where nothing is in its place.
func (s *Store) putBack(old string) {
	folder, err := os.ReadFile(filepath.Join(old, wasIn))
	if err != nil || !filepath.IsLocal(string(folder)) {
		return
	}
	to := filepath.Join(s.Dir, string(folder))
	if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
		if os.Rename(old, to) == nil {
			os.Remove(filepath.Join(to, wasIn))
		}
	}
}

// Remove removes an image that a recipe added, or that was added and has lost files. ErrByHand: no recipe added it.
func (s *Store) Remove(key string) (Installed, error) {
	in, err := s.Find(key)
	if err != nil {
		return in, err
	}
	if in.Recipe == "" || in.Dir == "" || in.Dir == "." {
		return in, fmt.Errorf("%w: %s", ErrByHand, in.Key)
	}
	unlock, err := s.begin(in.Key)
	if err != nil {
		return in, err
	}
	defer unlock()
	gone := filepath.Join(s.own(newDir), in.Key)
	if err := os.RemoveAll(gone); err != nil {
		return in, fmt.Errorf("removing what an earlier run left: %w", err)
	}
	// Out of the menu first, in one step, and then file by file.
	dir := filepath.Join(s.Dir, filepath.FromSlash(in.Dir))
	if err := os.Rename(dir, gone); err != nil {
		return in, fmt.Errorf("removing %s: %w", in.Key, err)
	}
	// empty folders above
	for up := filepath.Dir(dir); up != s.Dir && strings.HasPrefix(up, s.Dir) &&
		os.Remove(up) == nil; up = filepath.Dir(up) {
	}
	if s.PrivateDir != "" {
		os.RemoveAll(filepath.Join(s.PrivateDir, in.Key))
	}
	if err := os.RemoveAll(gone); err != nil {
		return in, fmt.Errorf("removing %s: %w", in.Key, err)
	}
	return in, durable.SyncDir(s.Dir)
}

// newestFirst orders images of one recipe.
func newestFirst(a, b Installed) int {
	return cmp.Or(version.Compare(b.Version, a.Version), b.Added.Compare(a.Added))
}
