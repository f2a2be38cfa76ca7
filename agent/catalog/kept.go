package catalog

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// racy is the age below which a file's time stamp may hide a later change: file systems count in ticks, some in
// seconds.
const racy = 2 * time.Second

// Kept has what was made of files on disk, as long as they are the same by inode, size, time and mode. The zero Kept
// keeps nothing. Its methods may be called from many goroutines.
type Kept[T any] struct {
	Limit int64 // size of all that is kept, in bytes
	// Trust is how long a file is taken to be the same after it was looked at; 0: it is looked at each time.
	Trust time.Duration

	mu    sync.RWMutex
	by    map[string]*kept[T] // by path
	bytes int64
}

type kept[T any] struct {
	value  T
	path   string
	info   os.FileInfo
	looked atomic.Int64 // when it was found unchanged, as clock has it
}

// began is when clock began.
var began = time.Now()

// clock is a time for comparisons that is cheap to have, in nanoseconds.
func clock() int64 { return int64(time.Since(began)) }

// Find is what was kept of the file at a path, if that is the very same file, or was within Trust. The path was judged
// by os.Root when the file was opened; wherever it leads now, it is to that file.
func (k *Kept[T]) Find(path string) (value T, ok bool) {
	return k.FindBytes([]byte(path))
}

// FindBytes is Find for a path that is no string yet.
func (k *Kept[T]) FindBytes(path []byte) (value T, ok bool) {
	k.mu.RLock()
	have, ok := k.by[string(path)] // which makes no string
	k.mu.RUnlock()
	if !ok {
		return value, false
	}
	now := clock()
	if k.Trust > 0 && now-have.looked.Load() < int64(k.Trust) {
		return have.value, true
	}
	if unchanged(have.path, have.info) {
		have.looked.Store(now)
		return have.value, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by[have.path] == have {
		delete(k.by, have.path)
		k.bytes -= have.info.Size()
	}
	return value, false
}

// Keeps reports whether a file may be kept: it was not written to just now. Ask before it is read.
func (k *Kept[T]) Keeps(info os.FileInfo) bool {
	return info.Size() <= k.Limit && time.Since(info.ModTime()) >= racy
}

// Put keeps what was made of a file. info is from before it was read.
func (k *Kept[T]) Put(path string, info os.FileInfo, value T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bytes+info.Size() > k.Limit || k.by == nil {
		k.by, k.bytes = map[string]*kept[T]{}, 0 // what is asked for again comes back
	}
	if old, ok := k.by[path]; ok {
		k.bytes -= old.info.Size()
	}
	have := &kept[T]{value: value, path: path, info: info}
	have.looked.Store(clock())
	k.by[path] = have
	k.bytes += info.Size()
}
