package files

import (
	"bytes"
	"os"
	"sync"
	"time"

	"pxeagent/agent/boot"
)

// Bounds of what is kept in memory, in bytes.
const (
	// keepHTTP: larger files are sent by the kernel, which costs less than to copy them.
	keepHTTP = 32 << 10
	keepTFTP = 1 << 20
	keepAll  = 4 << 20
)

// racy is the age below which a file's time stamp may hide a later change: file systems count in ticks, some in
// seconds.
const racy = 2 * time.Second

// memory keeps small files that were served, so that the next request costs one look at whether the file is still the
// same. A room of machines asks for the same few.
type memory struct {
	mu    sync.Mutex
	files map[string]kept // by path on disk
	bytes int64
}

// kept is a file as it was when it was read.
type kept struct {
	File // without Content
	info os.FileInfo
	data []byte
}

// pathIn is the path of a name in a tree. Nothing in it is put right: a name that leads to another tree by ".." is not
// the path of a file of that tree.
func pathIn(tree, name string) string { return tree + "/" + name }

// open is the file at a path if it was kept and is the same.
func (m *memory) open(path string) (*File, bool) {
	m.mu.Lock()
	k, ok := m.files[path]
	m.mu.Unlock()
	if !ok {
		return nil, false
	}
	// The path was judged by os.Root when the file was opened. Wherever it leads now, it is to the very same file.
	info, err := os.Stat(path)
	if err != nil || !k.same(info) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if now, ok := m.files[path]; ok && now.info == k.info {
			m.bytes -= now.Size
			delete(m.files, path)
		}
		return nil, false
	}
	f := k.File
	f.Content, f.id = bytes.NewReader(k.data), &k.data[0]
	return &f, true
}

func (k kept) same(info os.FileInfo) bool {
	return os.SameFile(k.info, info) && info.Size() == k.Size && info.ModTime().Equal(k.ModTime) &&
		info.Mode() == k.info.Mode()
}

// keep keeps a file of a tree that is small and was not written to just now, and is to be called before it is read.
func (m *memory) keep(proto boot.Proto, tree string, f *File, info os.FileInfo) {
	limit := int64(keepHTTP)
	if proto == boot.TFTP {
		limit = keepTFTP
	}
	if f.Size == 0 || f.Size > limit || time.Since(f.ModTime) < racy {
		return
	}
	data, err := readAll(f)
	if err != nil || f.Changed() {
		return
	}
	k := kept{File: *f, info: info, data: data}
	k.Content = nil
	path := pathIn(tree, f.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes+f.Size > keepAll || m.files == nil {
		m.files, m.bytes = map[string]kept{}, 0 // what is asked for again comes back
	}
	if old, ok := m.files[path]; ok {
		m.bytes -= old.Size
	}
	m.files[path] = k
	m.bytes += f.Size
}
