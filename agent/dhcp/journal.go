package dhcp

import (
	"errors"
	"fmt"
	"github.com/gofrs/flock"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"pxeagent/agent/durable"
	"slices"
	"strconv"
	"strings"
)

// maxJournal is the largest journal that is read, in bytes. A state is a few kilobytes.
const maxJournal = 16 << 20

// Journal remembers for one backend and interface what was there before pxeagent, so that it can be put back to the
// byte. It is on disk before anything is changed, and only one process has it open at a time.
type Journal struct {
	path string
	lock *flock.Flock
	rec  record
	// create makes the temporary file that replaces path. Tests make it fail.
	create func(name string) (file, error)
}

// file is what writing a journal asks of one.
type file interface {
	io.WriteCloser
	Sync() error
}

// OpenJournal opens <dir>/journal/<key>.json, or begins one, and locks it (<key>.lock) until Close or the end of the
// process. key names the backend and the interface; where it has bytes that are not fit for a file name they are
// written as %XX. It returns ErrLocked (*LockedError) where another process has it open, and *JournalError where it
// cannot be understood.
func OpenJournal(dir, key string) (*Journal, error) {
	if key == "" {
		return nil, errors.New("opening the journal: its key is empty")
	}
	base := filepath.Join(dir, "journal", fileName(key))
	if err := os.MkdirAll(filepath.Dir(base), 0o700); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	lock, err := takeLock(base + ".lock")
	if err != nil {
		return nil, err
	}
	j := &Journal{path: base + ".json", lock: lock, create: createFile}
	if j.rec, err = readRecord(j.path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return j, nil
}

// Close gives the lock back. The lock file stays: removing it would let two processes hold a lock of the same name.
func (j *Journal) Close() error { return j.lock.Close() }

// First is the state that a revert goes to: the last one that pxeagent did not write.
func (j *Journal) First() (State, bool) {
	if j.rec.First == nil {
		return State{}, false
	}
	return *j.rec.First, true
}

// History lists earlier states, the oldest first, at most 10.
func (j *Journal) History() []Past { return slices.Clone(j.rec.History) }

// write replaces the journal on disk, and only then what is remembered.
func (j *Journal) write(r record) error {
	r.Version = recordVersion
	if err := j.replace(r); err != nil {
		return fmt.Errorf("writing the journal %s: %w", j.path, err)
	}
	j.rec = r
	return nil
}

func (j *Journal) replace(r record) (err error) {
	data, err := r.encode()
	if err != nil {
		return err
	}
	// The lock makes one fixed name enough, which a later run overwrites if this one is killed.
	folder, name := filepath.Split(j.path)
	temp := filepath.Join(folder, "."+name+".tmp")
	f, err := j.create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, j.path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	return durable.SyncDir(folder)
}

func createFile(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func readRecord(path string) (record, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("opening the journal: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return record{}, fmt.Errorf("reading the journal: %w", err)
	}
	r, err := parseRecord(data)
	if err != nil {
		return record{}, &JournalError{path, err}
	}
	return r, nil
}

// takeLock locks the file and writes this process's number into it, for the one that comes too late. The kernel gives
// the lock back when the process ends, however it ends.
func takeLock(path string) (*flock.Flock, error) {
	lock := flock.New(path, flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the journal: %w", err)
	}
	if !taken {
		text, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return nil, &LockedError{path, pid}
	}
	// The number is a courtesy: a full disk must not keep anybody from reverting.
	_ = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return lock, nil
}
