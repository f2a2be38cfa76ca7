package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// ErrRefused: the name cannot be that of a file here, or what has not a regular file, lies
// outside the tree, or is a script that a machine would hang on.
var ErrRefused = catalog.ErrRefused

// File is an open file. It may be another request's as well, and is not to be changed.
type File struct {
	Name        string // below its tree, as found
	Artifact    boot.Artifact
	Size        int64     // bytes
	ModTime     time.Time // zero for what is built in or made
	ContentType string
	ETag        string       // strong, with its quotes (RFC 9110 section 8.8.3)
	Given       boot.Given   // what is in the menu that was made for a loader
	LoopBroken  bool         // iPXE asked for an NBP and this is the script instead
	Quirks      []boot.Quirk // what was put right in the name
	Content     interface {  // an *os.File for what lies on disk, so that sendfile(2) can be used; nil with Kept
		io.ReadSeeker
		io.ReaderAt
	}
	// Kept is the content of what is small and was asked for before; else nil.
	Kept *InMemory
	id   any // of what is in memory, see ID
}

// Reader reads the content from its beginning. There is to be one for each request.
func (f *File) Reader() io.ReadSeeker {
	if f.Kept != nil {
		return bytes.NewReader(f.Kept.Data)
	}
	return f.Content
}

// ReadAt reads from the content (io.ReaderAt).
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if f.Kept != nil {
		return bytes.NewReader(f.Kept.Data).ReadAt(p, off)
	}
	return f.Content.ReadAt(p, off)
}

// Changed reports whether the open file was written to since it was opened. One that was replaced by another goes on
// as it was.
func (f *File) Changed() bool {
	c, ok := f.Content.(*os.File)
	if !ok {
		return false
	}
	info, err := c.Stat()
	return err != nil || info.Size() != f.Size || !info.ModTime().Equal(f.ModTime)
}

// identity tells one content from another.
type identity struct {
	etag     string
	dev, ino uint64 // of what lies on disk
}

// ID is equal for files with the same content, as long as nobody writes to one in place; nil where that is not known.
func (f *File) ID() any {
	if f.id != nil {
		return f.id
	}
	c, ok := f.Content.(*os.File)
	if !ok {
		return nil
	}
	info, err := c.Stat()
	if err != nil {
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return identity{etag: f.ETag, dev: uint64(stat.Dev), ino: uint64(stat.Ino)}
}

// Close lets the file go.
func (f *File) Close() error {
	if c, ok := f.Content.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// NotOpened is the error of Open. It unwraps to fs.ErrNotExist, ErrRefused, fs.ErrPermission or what else went wrong.
type NotOpened struct {
	Name     string        // as asked, hostile
	Artifact boot.Artifact // the kind of the file that was asked for, NoFile where there is none
	Near     string        // for a missing file: the nearest name that exists, or ""
	Quirks   []boot.Quirk
	Err      error
}

func (e *NotOpened) Error() string {
	s := fmt.Sprintf("opening %q: %v", e.Name, e.Err)
	if e.Near != "" {
		s += fmt.Sprintf(" (there is %q)", e.Near)
	}
	return s
}

func (e *NotOpened) Unwrap() error { return e.Err }

// content is something in memory that can be opened as a File many times.
type content struct {
	name     string
	artifact boot.Artifact
	data     []byte
	etag     string
}

func newContent(name string, a boot.Artifact, data []byte) *content {
	sum := sha256.Sum256(data)
	return &content{name, a, data, `"` + hex.EncodeToString(sum[:8]) + `"`}
}

func (c *content) open() *File {
	return &File{
		Name:        c.name,
		Artifact:    c.artifact,
		Size:        int64(len(c.data)),
		ContentType: contentType(c.name, c.artifact),
		ETag:        c.etag,
		id:          identity{etag: c.etag},
		Content:     bytes.NewReader(c.data),
	}
}

func onDisk(name string, f *os.File, info os.FileInfo) *File {
	a := artifact(name)
	return &File{Name: name, Artifact: a, Size: info.Size(), ModTime: info.ModTime(), ContentType: contentType(name, a),
		ETag: fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()), Content: f}
}

// readAll is the whole of a file.
func readAll(f *File) ([]byte, error) {
	b := make([]byte, f.Size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	return b, nil
}
