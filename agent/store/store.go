// Package store keeps boots across restarts, in one file that only the daemon opens.
package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"pxeagent/agent/boot"
	"pxeagent/agent/durable"
	"pxeagent/agent/guard"
)

const (
	// FileName is the file in the folder for state; its mode is 0600.
	FileName = "boots.db"
	// setAside is added to the name of a file that cannot be read. One of them is kept.
	setAside = ".corrupt"
	// beginning is added to the name of a file that is not complete.
	beginning = ".new"
	// lockWait is how long another daemon may take to end.
	lockWait = 2 * time.Second
	// writeEvery is how long changes are gathered: each write waits for the disk.
	writeEvery = 2 * time.Second
	// mostPending bounds what waits for a disk that cannot be written.
	mostPending = 4096
)

// ErrLocked: another daemon has the file open.
var ErrLocked = errors.New("another pxeagent uses it")

var bucket = []byte("boots") // the ID leads to the boot as JSON; later boots have later IDs

// Config is how much is kept.
type Config struct {
	Keep   int           // boots; at least one
	MaxAge time.Duration // since their end; 0: for ever
	Log    *slog.Logger
	Guard  *guard.Guard // ends a write that panics; nil: nothing does
	// Failed hears of each write that failed; nil: nobody does.
	Failed func()
}

// Store is an open file. Its methods may be called from many goroutines.
type Store struct {
	Config
	db     *bolt.DB
	path   string
	stored atomic.Int64

	mu      sync.Mutex
	pending map[string]boot.Boot
	order   []string // of pending, the oldest first
	failing bool     // the last write failed, and was logged

	pruned time.Time // when the file was last looked through for what is too old; of Flush alone
}

// Open reads the file in dir, and writes what is not too old to a new one in its place: so it never grows for good, and
// nothing that a crash may have left in it lives on. It returns the boots as well, the oldest first. ErrLocked: another
// daemon has the file.
func Open(dir string, c Config) (*Store, []boot.Boot, error) {
	path := filepath.Join(dir, FileName)
	fail := func(err error) (*Store, []boot.Boot, error) {
		return nil, nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the folder for state: %w", err)
	}
	boots, values, unlock, err := read(path)
	defer unlock()
	switch {
	case errors.Is(err, errDamaged):
		c.Log.Error("The file with the boots is damaged and set aside; a new one is begun with what could be read",
			"file", path, "kept_as", path+setAside, "boots", len(boots), "err", err)
		if err := os.Rename(path, path+setAside); err != nil {
			return fail(err)
		}
	case err != nil:
		return fail(err)
	}
	if err := os.Remove(path + beginning); err != nil &&
		!errors.Is(err, fs.ErrNotExist) { // of an agent that was killed here
		return fail(err)
	}
	db, err := bolt.Open(path+beginning, 0o600, &bolt.Options{Timeout: lockWait})
	if err != nil {
		return fail(err)
	}
	s := &Store{Config: c, db: db, path: path, pending: map[string]boot.Boot{}}
	err = s.update(time.Now(), func(all *bolt.Bucket) error {
		for i, b := range boots {
			if err := all.Put([]byte(b.ID), values[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = putInPlace(path)
	}
	if err != nil {
		db.Close()
		return fail(err)
	}
	if n := len(boots) - s.Stored(); n > 0 {
		boots = boots[n:]
	}
	return s, boots, nil
}

// putInPlace gives the new file its name, for good.
func putInPlace(path string) error {
	if err := os.Rename(path+beginning, path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// errDamaged: the file is not what was written.
var errDamaged = errors.New("the file is damaged")

// read gives all boots in a file, where it is damaged those before that place, the oldest first, and each as it stands
// there: a later version may have written more of it than this one knows. Until unlock is called, nobody else has the
// file.
func read(path string) (boots []boot.Boot, values [][]byte, unlock func(), err error) {
	unlock = func() {}
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, nil, unlock, nil
	}
	// bbolt trusts its pages: one that makes no sense is a panic, and a file that is too short is read beyond its end.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	// So opened it does not look at its list of free pages, which may be as wrong.
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, ReadOnly: true})
	var sys *fs.PathError
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, nil, unlock, ErrLocked
	case errors.As(err, &sys):
		return nil, nil, unlock, err
	case err != nil:
		return nil, nil, unlock, fmt.Errorf("%w: %w", errDamaged, err)
	}
	unlock = func() { _ = db.Close() }
	err = db.View(func(tx *bolt.Tx) error {
		all := tx.Bucket(bucket)
		if all == nil {
			return errDamaged
		}
		return all.ForEach(func(k, v []byte) error {
			var b boot.Boot
			if err := json.Unmarshal(v, &b); err != nil || b.ID != string(k) {
				return fmt.Errorf("%w: boot %q", errDamaged, k)
			}
			boots, values = append(boots, b), append(values, bytes.Clone(v))
			return nil
		})
	})
	return boots, values, unlock, err
}

// Stored counts the boots in the file.
func (s *Store) Stored() int { return int(s.stored.Load()) }

// Put has a boot written soon. It does not wait.
func (s *Store) Put(b boot.Boot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.pending[b.ID]; !known {
		if len(s.order) >= mostPending {
			delete(s.pending, s.order[0])
			s.order = s.order[1:]
		}
		s.order = append(s.order, b.ID)
	}
	s.pending[b.ID] = b
}

// Run writes what waits, every two seconds until ctx ends. Close writes what is left then.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			_ = s.Guard.Do(guard.Store, func() error { // what it caught is logged
				s.Flush(now)
				return nil
			})
		case <-ctx.Done():
			return nil
		}
	}
}

// Close writes what is left and closes the file.
func (s *Store) Close() error {
	s.Flush(time.Now())
	return s.db.Close()
}

// Flush writes what waits. What could not be written waits on; the first of a row of failures is logged.
func (s *Store) Flush(now time.Time) {
	s.mu.Lock()
	todo, order := s.pending, s.order
	s.pending, s.order = map[string]boot.Boot{}, nil
	s.mu.Unlock()
	if len(todo) == 0 && now.Sub(s.pruned) < time.Hour {
		return
	}
	s.pruned = now
	err := s.write(todo, order, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		if s.failing {
			s.Log.Info("Boots are kept again")
		}
		s.failing = false
		return
	}
	if s.Failed != nil {
		s.Failed()
	}
	if !s.failing {
		s.Log.Error(
			"Boots cannot be kept; they are tried again, and are lost if the agent stops before",
			"file",
			s.path,
			"err",
			err,
		)
	}
	s.failing = true
	for id, b := range s.pending { // what came meanwhile is newer
		if _, known := todo[id]; !known {
			order = append(order, id)
		}
		todo[id] = b
	}
	for len(order) > mostPending {
		delete(todo, order[0])
		order = order[1:]
	}
	s.pending, s.order = todo, order
}

// write writes what is new.
func (s *Store) write(todo map[string]boot.Boot, order []string, now time.Time) error {
	return s.update(now, func(all *bolt.Bucket) error {
		for _, id := range order {
			b := todo[id]
			if b.Into != "" {
				if err := all.Delete([]byte(id)); err != nil {
					return err
				}
				continue
			}
			v, err := json.Marshal(b)
			if err != nil {
				return err
			}
			if err := all.Put([]byte(id), v); err != nil {
				return err
			}
		}
		return nil
	})
}

// update is one transaction: what change does, then without what is too old.
func (s *Store) update(now time.Time, change func(all *bolt.Bucket) error) error {
	n := 0
	err := s.db.Update(func(tx *bolt.Tx) error {
		all, err := tx.CreateBucketIfNotExists(bucket)
		if err == nil {
			err = change(all)
		}
		if err == nil {
			n, err = s.prune(all, now)
		}
		return err
	})
	if err == nil {
		s.stored.Store(int64(n))
	}
	return err
}

// prune drops what is too much or too old, and counts what is left.
func (s *Store) prune(all *bolt.Bucket, now time.Time) (int, error) {
	n := 0
	c := all.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	var doomed [][]byte
	for k, v := c.First(); k != nil && (n-len(doomed) > s.Keep || s.old(v, now)); k, v = c.Next() {
		doomed = append(doomed, append([]byte{}, k...))
	}
	for _, k := range doomed {
		if err := all.Delete(k); err != nil {
			return n, err
		}
	}
	return n - len(doomed), nil
}

// old: it ended too long ago.
func (s *Store) old(v []byte, now time.Time) bool {
	if s.MaxAge == 0 {
		return false
	}
	var b struct {
		Ended   time.Time `json:"ended"`
		Updated time.Time `json:"updated"`
	}
	if json.Unmarshal(v, &b) != nil {
		return true
	}
	if b.Ended.IsZero() {
		b.Ended = b.Updated // it never ended: the agent was stopped
	}
	return now.Sub(b.Ended) > s.MaxAge
}
