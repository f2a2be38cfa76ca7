package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
)

// Verification is what a look at all bytes of an image has found.
type Verification struct {
	Key     string   `json:"key"`
	Files   int      `json:"files"` // that were compared
	Bytes   int64    `json:"bytes"`
	Missing []string `json:"missing,omitempty"`
	Changed []string `json:"changed,omitempty"`
	// Extra files were not there when it was added. They are not a problem: an answer file or an overlay may have been put
	// there on purpose.
	Extra []string `json:"extra,omitempty"`
	// Unknown: it was put there by hand, and nothing beside it says what its files should be.
	Unknown bool      `json:"unknown,omitempty"`
	At      time.Time `json:"at"`
}

// Fault is what is wrong, in one line; "": nothing.
func (v Verification) Fault() string {
	switch n := len(v.Missing) + len(v.Changed); {
	case n == 0:
		return ""
	case n == 1 && len(v.Missing) == 1:
		return v.Missing[0] + " is missing"
	case n == 1:
		return v.Changed[0] + " has changed"
	}
	return fmt.Sprintf("%d files are missing and %d have changed", len(v.Missing), len(v.Changed))
}

// Verify reads all files of an image, compares them with what they were when it was added, and writes down when and
// with what outcome. Of a tree that was put there by hand it compares what has a checksum beside it. ErrDamaged:
// something differs.
func (s *Store) Verify(ctx context.Context, key string) (Verification, error) {
	in, err := s.Find(key)
	if err != nil {
		return Verification{Key: key}, err
	}
	v := Verification{Key: in.Key, At: s.now().UTC().Truncate(time.Second)}
	if in.Dir == "" {
		v.Unknown = true
		return v, nil
	}
	dir := filepath.Join(s.Dir, filepath.FromSlash(in.Dir))
	root, err := os.OpenRoot(dir)
	if err != nil {
		return v, fmt.Errorf("verifying %s: %w", in.Key, err)
	}
	defer root.Close()
	m, err := readManifest(root, ".")
	if noManifest(err) {
		m, err = Manifest{Key: in.Key}, nil
	}
	if err != nil {
		return v, err
	}
	if err := s.compare(ctx, &v, root, m); err != nil {
		return v, fmt.Errorf("verifying %s: %w", in.Key, err)
	}
	if v.Unknown {
		return v, nil
	}
	if err := s.record(root, dir, m.Key, v); err != nil {
		return v, err
	}
	if fault := v.Fault(); fault != "" {
		return v, fmt.Errorf("%w: %s: %s", ErrDamaged, in.Key, fault)
	}
	s.report.step(fmt.Sprintf("%s is as it was added: %s, %s", in.Key, filesText(v.Files),
		humanize.IBytes(uint64(v.Bytes))))
	return v, nil
}

func (s *Store) compare(ctx context.Context, v *Verification, root *os.Root, m Manifest) error {
	if m.Recipe == "" {
		return compareByHand(v, root)
	}
	count := s.report.meter("verifying "+v.Key, 0, m.bytes())
	known := map[string]bool{manifestName: true}
	for _, f := range m.Files {
		known[f.Path] = true
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, n, err := hashFile(root, f.Path, count)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			v.Missing = append(v.Missing, f.Path)
			continue
		case err != nil:
			return err
		case string(sum) != f.SHA256 || n != f.Bytes:
			v.Changed = append(v.Changed, f.Path)
		}
		v.Files, v.Bytes = v.Files+1, v.Bytes+n
	}
	count.end()
	return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !known[p] && len(v.Extra) < 100 {
			v.Extra = append(v.Extra, p)
		}
		return err
	})
}

func hashFile(root *os.Root, name string, count io.Writer) (checksum, int64, error) {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is not a regular file any more", fs.ErrNotExist, name)
	}
	if err != nil {
		return "", 0, err
	}
	f, err := root.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum, err := sumOf(io.TeeReader(f, count), sha256Sum)
	return sum, info.Size(), err
}

// compareByHand compares each file that has another beside it called as it and ".hash", as SmartOS's boot_archive has.
func compareByHand(v *Verification, root *os.Root) error {
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(p) != ".hash" || !d.Type().IsRegular() {
			return err
		}
		file := p[:len(p)-len(".hash")]
		info, err := root.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			v.Missing = append(v.Missing, file)
			return nil
		}
		if err != nil {
			return err
		}
		err = checkBeside(root, file, p)
		if errors.Is(err, ErrChecksum) {
			v.Changed, err = append(v.Changed, file), nil
		}
		v.Files, v.Bytes = v.Files+1, v.Bytes+info.Size()
		return err
	})
	v.Unknown = v.Files+len(v.Missing) == 0
	return err
}

// record writes the outcome down, in the manifest as it is by now: the image may have been replaced meanwhile.
func (s *Store) record(root *os.Root, dir, key string, v Verification) error {
	unlock, err := s.begin(key)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := readManifest(root, ".")
	if noManifest(err) {
		m, err = Manifest{Key: key}, nil
	}
	if err != nil {
		return err
	}
	m.Verified, m.Fault = v.At, v.Fault()
	if err := m.write(dir); err != nil {
		return fmt.Errorf("noting that %s was verified: %w", key, err)
	}
	return nil
}
