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
	info  os.FileInfo
}

// Find is what was kept of the file at a path, if that is the very same file. The path was judged by os.Root when the
// file was opened; wherever it leads now, it is to that file.
func (k *Kept[T]) Find(path string) (value T, ok bool) {
	k.mu.Lock()
	have, ok := k.by[path]
	k.mu.Unlock()
	if !ok {
		return value, false
	}
	info, err := os.Stat(path)
	if err == nil && same(have.info, info) {
		return have.value, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if now, ok := k.by[path]; ok && now.info == have.info {
		delete(k.by, path)
		k.bytes -= have.info.Size()
	}
	return value, false
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
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
	k.by[path] = kept[T]{value, info}
	k.bytes += info.Size()
}
