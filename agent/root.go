package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// rootFolder says whether serve.root is there with what it had. It may be moved, unmounted or replaced while the agent
// runs, and files are served again as soon as it is back: each request opens it again.
type rootFolder struct {
	path string

	mu   sync.Mutex
	seen map[string]folder // by name below path, when all was well last
}

// folder is what is remembered of a folder.
type folder struct {
	info  os.FileInfo
	empty bool
}

// newRootFolder looks at a root and its trees, of which either may be missing.
func newRootFolder(path string) *rootFolder {
	r := &rootFolder{path: path, seen: map[string]folder{}}
	_ = r.check() // there is nothing yet that could be missed
	return r
}

// check returns an error where the root, or a tree that was there before, is missing, cannot be read, or is another
// folder that has nothing in it now: a mount point without its file system. Another folder with files in it is a new
// version.
func (r *rootFolder) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := map[string]folder{}
	for _, name := range []string{".", "tftp", "http"} {
		f, err := lookAt(filepath.Join(r.path, name))
		before, known := r.seen[name]
		switch {
		case err != nil && known:
			return fmt.Errorf("serve.root: %w", err)
		case err != nil: // it was never there
		case known && f.empty && !before.empty && !os.SameFile(f.info, before.info):
			return fmt.Errorf("serve.root: %s is another folder than before, and empty", filepath.Join(r.path, name))
		default:
			now[name] = f
		}
	}
	r.seen = now
	return nil
}

// lookAt reads the beginning of a folder.
func lookAt(path string) (folder, error) {
	d, err := os.Open(path)
	if err != nil {
		return folder{}, err
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return folder{}, err
	}
	if _, err := d.ReadDir(1); errors.Is(err, io.EOF) {
		return folder{info, true}, nil
	} else if err != nil {
		return folder{}, err
	}
	return folder{info, false}, nil
}
