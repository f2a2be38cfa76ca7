package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/agext/levenshtein"
)

// maxListed bounds how many names of one folder are looked at for another spelling.
const maxListed = 4096

// Tree is one of the user's folders. It is opened for each request, so that it may come, go and be
// replaced while we run. Paths are judged by os.Root alone; the folder itself may be a symbolic link,
// since it is the operator who says where it is.
type Tree string

// ErrRefused: not a regular file, or outside the tree.
var ErrRefused = errors.New("refused")

var errEscapes = errors.New("outside the folder")

// Open opens a plain file. The error unwraps to fs.ErrNotExist, ErrRefused, fs.ErrPermission, or is
// about this machine.
func (t Tree) Open(name string) (*os.File, os.FileInfo, error) {
	root, err := t.root()
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	return openPlain(root, name)
}

// OpenFold is Open, and where there is no such file, of the one whose name differs in upper and lower case only. It
// returns the name that the file has.
func (t Tree) OpenFold(name string) (*os.File, os.FileInfo, string, error) {
	f, info, err := t.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if other, ok := t.Fold(name); ok {
			name = other
			f, info, err = t.Open(name)
		}
	}
	return f, info, name, err
}

// root is the folder; fs.ErrNotExist for the Tree "".
func (t Tree) root() (*os.Root, error) {
	if t == "" {
		return nil, fs.ErrNotExist
	}
	return os.OpenRoot(string(t))
}

// Names are the names in a folder, in order, the first few thousand of them; none where it cannot be read.
func (t Tree) Names(dir string) []string {
	root, err := t.root()
	if err != nil {
		return nil
	}
	defer root.Close()
	names := list(root, dir)
	slices.Sort(names)
	return names
}

// Has reports whether there is a plain file of that name.
func (t Tree) Has(name string) bool {
	info, err := t.stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (t Tree) hasDir(name string) bool {
	info, err := t.stat(name)
	return err == nil && info.IsDir()
}

func (t Tree) stat(name string) (os.FileInfo, error) {
	root, err := t.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(name)
}

func openPlain(root *os.Root, name string) (*os.File, os.FileInfo, error) {
	// To open a device can have effects, and to open a FIFO waits for a writer: look first.
	if info, err := root.Stat(name); err != nil {
		return nil, nil, linkHint(name, judge(err))
	} else if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%w: not a regular file but %s", ErrRefused, kind(info))
	}
	// And do not wait if it became one meanwhile.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, judge(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: not a regular file but %s", ErrRefused, kind(info))
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// linkHint adds what to do to the refusal of a name that leads out of the root though it has no ".." in it.
func linkHint(name string, err error) error {
	if !errors.Is(err, errEscapes) || slices.Contains(strings.Split(name, "/"), "..") {
		return err
	}
	return fmt.Errorf("%w: it is a symbolic link, or below one, that leads out of the folder; mount what it leads to in "+
		"its place (mount --bind), or use a relative link that stays in the folder", err)
}

func kind(info os.FileInfo) string {
	switch m := info.Mode(); {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// judge sorts the errors of os.Root. What it refuses by its own rules, and not by a system call's, is a
// path that leads out of the root.
func judge(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return fs.ErrNotExist
	case errors.Is(err, fs.ErrPermission):
		return err
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.As(err, &errno):
		return err
	}
	return fmt.Errorf("%w: %w: %w", ErrRefused, errEscapes, err)
}

// Fold finds the name of a file whose name is the same but for upper and lower case: old DOS-minded
// firmware and hand-typed DHCP settings send them so. Where several fit, the first that the folder lists wins.
func (t Tree) Fold(name string) (string, bool) {
	root, err := t.root()
	if err != nil {
		return "", false
	}
	defer root.Close()
	found := "."
	for _, part := range strings.Split(name, "/") {
		next := ""
		if _, err := root.Lstat(path.Join(found, part)); err == nil {
			next = part
		} else {
			for _, have := range list(root, found) {
				if strings.EqualFold(have, part) {
					next = have
					break
				}
			}
		}
		if next == "" || part == ".." {
			return "", false
		}
		found = path.Join(found, next)
	}
	return found, found != name
}

func list(root *os.Root, dir string) []string {
	d, err := root.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0) // of a FIFO nothing is awaited
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxListed)
	return names
}

// Near is the name that exists and looks most like the one that does not, or "".
func (t Tree) Near(name string, builtin []string) string {
	names := slices.Clone(builtin)
	if root, err := t.root(); err == nil {
		defer root.Close()
		dir := path.Dir(name)
		for _, have := range list(root, dir) {
			names = append(names, path.Join(dir, have))
		}
		for _, have := range list(root, ".") { // the right name, asked for in the wrong folder
			if path.Base(name) == have {
				return have
			}
		}
	}
	best, least := "", max(2, len(path.Base(name))/3)+1
	for _, n := range names {
		// It is not worked out beyond what would be too far.
		d := levenshtein.Distance(name, n, levenshtein.NewParams().MaxCost(least-1))
		if d < least {
			best, least = n, d
		}
	}
	return best
}
