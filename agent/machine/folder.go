package machine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"pxeagent/agent/durable"
	"strings"
	"syscall"
	"time"
)

// folder is one with small files in it that several processes use at once. A file is there whole or not at all. What
// else lies there may be anything.
type folder string

// maxSmall is more than any file of ours has, in bytes.
const maxSmall = 4096

// maxNames bounds how many names are read.
const maxNames = 20_000

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// read reads a plain file. A link, a pipe or a device is not opened: it could lead elsewhere, or block.
func (f folder) read(name string) ([]byte, error) {
	in, err := os.OpenFile(f.path(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxSmall:
		return nil, fmt.Errorf("it is larger than %d bytes", maxSmall)
	}
	return io.ReadAll(io.LimitReader(in, maxSmall))
}

// write puts a file there by rename, durably. The folder is made where it is missing.
func (f folder) write(name string, text []byte) error {
	if err := f.make(); err != nil {
		return err
	}
	temp := f.path(tempName())
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	// Whoever writes, the daemon reads it.
	err = errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(temp, f.path(name))
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	return f.sync()
}

// make makes the folder. Where root does, it is given to whoever has the folder above it: the daemon is seldom root,
// and renames in it.
func (f folder) make() error {
	if _, err := os.Stat(string(f)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(string(f), 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) { // by somebody else, just now
			return nil
		}
		return err
	}
	above, err := os.Stat(filepath.Dir(string(f)))
	if err != nil {
		return err
	}
	if owner, ok := above.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && owner.Uid != 0 {
		return os.Chown(string(f), int(owner.Uid), int(owner.Gid))
	}
	return nil
}

// rename has happened where it returns nil. That it outlives a loss of power is tried only: the file would be back
// under its old name.
func (f folder) rename(from, to string) error {
	if err := os.Rename(f.path(from), f.path(to)); err != nil {
		return err
	}
	_ = f.sync()
	return nil
}

// link gives a file a second name that nothing has yet.
func (f folder) link(from, to string) error { return os.Link(f.path(from), f.path(to)) }

func (f folder) remove(name string) error { return os.Remove(f.path(name)) }

// sync makes renames outlive a loss of power.
func (f folder) sync() error {
	return durable.SyncDir(string(f))
}

// names are in order; none where the folder does not exist.
func (f folder) names() ([]string, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries[:min(len(entries), maxNames)] {
		names = append(names, e.Name())
	}
	return names, err
}

// empty reports whether nothing is there, at the least cost.
func (f folder) empty() bool {
	dir, err := os.Open(string(f))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer dir.Close()
	_, err = dir.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

// age is the time since the file's state was last changed, a rename among that where the file system says so.
func (f folder) age(name string) (time.Duration, error) {
	info, err := os.Lstat(f.path(name))
	if err != nil {
		return 0, err
	}
	return time.Since(changed(info)), nil
}

const (
	uniqueLength = 16
	tempPrefix   = ".new-"
)

func tempName() string { return tempPrefix + unique() }

// temporary: a file that was being written.
func temporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && len(name) == len(tempPrefix)+uniqueLength
}

// unique is a text that nobody else has.
func unique() string {
	var b [uniqueLength / 2]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
