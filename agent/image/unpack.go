package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// limits of what is unpacked.
type limits struct {
	files int
	bytes int64
}

// anImage is above what any image that is known has: SmartOS has some dozen files and 1 GB.
var anImage = limits{files: 20_000, bytes: 32 << 30}

// unpacker unpacks archives below a folder. Nothing that an archive says leads out of it: paths go through os.Root,
// links are made last and only to what is there by then, and no entry is written where another already is.
type unpacker struct {
	root  *os.Root
	max   limits
	left  limits
	room  int64 // that the disk has, in bytes
	drop  []string
	files map[string]bool // what was written, true for files and false for folders
	links []member        // symbolic ones, made at the end
}

func newUnpacker(root *os.Root, max limits, room int64, drop []string) *unpacker {
	return &unpacker{root: root, max: max, left: max, room: room, drop: drop, files: map[string]bool{}}
}

// refuse is for entries that are rejected in every archive.
func refuse(name, format string, args ...any) error {
	return fmt.Errorf("%w: %q %s", ErrArchive, name, fmt.Sprintf(format, args...))
}

// archive unpacks one into the folder to, without the first strip folders of its paths.
func (u *unpacker) archive(file io.ReaderAt, size int64, to string, strip int, m *meter) error {
	return members(file, size, m, func(m member) error {
		name, err := cleanMember(m.name)
		if err != nil {
			return err
		}
		parts := strings.SplitN(name, "/", strip+1)
		if len(parts) <= strip {
			if m.kind == aFolder || name == "." {
				return nil // one of those that are cut off
			}
			return refuse(m.name, "does not lie in a folder")
		}
		name = path.Join(to, parts[strip])
		if m.kind == hardLink {
			if m.link, err = cleanMember(m.link); err != nil {
				return err
			}
			target := strings.SplitN(m.link, "/", strip+1)
			m.link = path.Join(to, target[len(target)-1])
		}
		if u.dropped(name) {
			return nil
		}
		return u.member(m, name)
	})
}

// cleanMember takes the name of an entry as it is meant, or refuses it.
func cleanMember(name string) (string, error) {
	switch {
	case strings.HasPrefix(name, "/"):
		return "", refuse(name, "is an absolute path")
	case len(name) > 4096 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\\'
	}):
		return "", refuse(name, "is not a name that an image may have")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", refuse(name, "leads out of the folder")
		}
		if strings.HasPrefix(part, ourPrefix) {
			return "", refuse(name, "is a name that pxeagent keeps for itself")
		}
	}
	return path.Clean(strings.TrimPrefix(name, "./")), nil
}

// dropped: the recipe leaves it out, or a folder that it is in.
func (u *unpacker) dropped(name string) bool {
	for ; name != "."; name = path.Dir(name) {
		for _, p := range u.drop {
			if ok, _ := path.Match(p, name); ok {
				return true
			}
		}
	}
	return false
}

func (u *unpacker) member(m member, name string) error {
	if u.left.files--; u.left.files < 0 {
		return fmt.Errorf("%w: it has more than %d files", ErrArchive, u.max.files)
	}
	file, there := u.files[name]
	if m.kind == aFolder {
		if there && file {
			return refuse(m.name, "is a file and then a folder")
		}
		return u.mkdir(name)
	}
	if there {
		return refuse(m.name, "is a duplicate")
	}
	switch m.kind {
	case symbolicLink:
		if err := u.mkdir(path.Dir(name)); err != nil {
			return err
		}
		u.files[name] = true // so that nothing is written over it, or below it
		m.name = name
		u.links = append(u.links, m)
		return nil
	case hardLink:
		if !u.files[m.link] {
			return refuse(m.name, "is a link to %q, which is not a file before it", m.link)
		}
		if err := u.mkdir(path.Dir(name)); err != nil {
			return err
		}
		u.files[name] = true
		if err := u.root.Link(m.link, name); err != nil {
			return refuse(m.name, "is a link to %q that cannot be made", m.link)
		}
		return nil
	case other:
		return refuse(m.name, "is a device, a FIFO or the like")
	}
	if m.size < 0 || m.size > u.left.bytes {
		return fmt.Errorf("%w: it has more than %s", ErrArchive, humanize.IBytes(uint64(u.max.bytes)))
	}
	if m.size > u.room {
		return fmt.Errorf("%w: %q has %s", ErrNoSpace, m.name, humanize.IBytes(uint64(m.size)))
	}
	u.room -= m.size
	u.left.bytes -= m.size
	return u.write(name, m.data, m.size)
}

// mkdir makes a folder and those above it, none of which may be a file or a link.
func (u *unpacker) mkdir(name string) error {
	for p := name; p != "."; p = path.Dir(p) {
		if file, there := u.files[p]; there && file {
			return refuse(name, "lies in %q, which is not a folder", p)
		}
		u.files[p] = false
	}
	if err := u.root.MkdirAll(name, 0o755); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	return nil
}

// write makes a file with that content, which measure brings to disk. Owners, modes and times of an archive are its
// maker's business: what is served is read, and nothing more.
func (u *unpacker) write(name string, in io.Reader, size int64) (err error) {
	if err := u.mkdir(path.Dir(name)); err != nil {
		return err
	}
	u.files[name] = true
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return refuse(name, "is a duplicate") // on a disk that knows no upper and lower case
	}
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	defer func() {
		if cerr := out.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("unpacking: %w", cerr)
		}
	}()
	// One byte more shows that there is more than was said.
	n, err := io.Copy(out, io.LimitReader(in, size+1))
	var onDisk *fs.PathError
	switch {
	case errors.As(err, &onDisk):
		return fmt.Errorf("unpacking: %w", err)
	case err != nil:
		return damaged(err)
	case n != size:
		return refuse(name, "has other than the %d bytes that it says", size)
	}
	return nil
}

// finish makes the symbolic links, each to something in the folder.
func (u *unpacker) finish() error {
	for _, l := range u.links {
		if path.IsAbs(l.link) || !filepath.IsLocal(path.Join(path.Dir(l.name), l.link)) {
			return refuse(l.name, "is a link to %q, out of the folder", l.link)
		}
		if err := u.root.Symlink(l.link, l.name); err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
	}
	// A link may lead on to another: only the whole shows where each ends. os.Root does not let it end outside.
	for _, l := range u.links {
		if _, err := u.root.Stat(l.name); err != nil {
			return refuse(l.name, "is a link to %q, which is not there or not in the folder", l.link)
		}
	}
	return nil
}
