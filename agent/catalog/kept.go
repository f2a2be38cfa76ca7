package catalog

import (
	"os"
	"sync"
	"time"
)

// racy is the age below which a file's time stamp may hide a later change: file systems count in ticks, some in
// seconds.
const racy = 2 * time.Second

// Kept has what was made of files on disk, as long as they are the same by inode, size, time and mode. The zero Kept
// keeps nothing. Its methods may be called from many goroutines.
type Kept[T any] struct {
	Limit int64 // size of all that is kept, in bytes

	mu    sync.Mutex
	by    map[string]kept[T] // by path
	bytes int64
}

type kept[T any] struct {
	value T
	path  string
	info  os.FileInfo
}

// Find is what was kept of the file at a path, if that is the very same file. The path was judged by os.Root when the
// file was opened; wherever it leads now, it is to that file.
func (k *Kept[T]) Find(path string) (value T, ok bool) {
	return k.FindBytes([]byte(path))
}

// FindBytes is Find for a path that is no string yet.
func (k *Kept[T]) FindBytes(path []byte) (value T, ok bool) {
	k.mu.Lock()
	have, ok := k.by[string(path)] // which makes no string
	k.mu.Unlock()
	if !ok {
		return value, false
	}
	if unchanged(have.path, have.info) {
		return have.value, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now, ok := k.by[have.path]; ok && now.info == have.info {
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
		k.by, k.bytes = map[string]kept[T]{}, 0 // what is asked for again comes back
	}
	if old, ok := k.by[path]; ok {
		k.bytes -= old.info.Size()
	}
	k.by[path] = kept[T]{value, path, info}
	k.bytes += info.Size()
}
