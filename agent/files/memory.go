package files

import (
	"bytes"
	"os"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// Bounds of what is kept in memory, in bytes.
const (
	// keepHTTP: larger files are sent by the kernel, which costs less than to copy them.
	keepHTTP = 32 << 10
	keepTFTP = 1 << 20
	keepAll  = 4 << 20
)

// memory keeps small files that were served, so that the next request costs one look at whether the file is still the
// same. A room of machines asks for the same few.
type memory struct{ catalog.Kept[*inMemory] }

// inMemory is a file as it was when it was read.
type inMemory struct {
	file File // without Content
	data []byte
}

// pathIn is the path of a name in a tree. Nothing in it is put right: a name that leads to another tree by ".." is not
// the path of a file of that tree.
func pathIn(tree, name string) string { return tree + "/" + name }

// open is the file at a path if it was kept and is the same.
func (m *memory) open(path string) (*File, bool) {
	k, ok := m.Find(path)
	if !ok {
		return nil, false
	}
	f := k.file
	f.Content, f.id = bytes.NewReader(k.data), &k.data[0]
	return &f, true
}

// keep keeps a file of a tree that is small.
func (m *memory) keep(proto boot.Proto, tree string, f *File, info os.FileInfo) {
	limit := int64(keepHTTP)
	if proto == boot.TFTP {
		limit = keepTFTP
	}
	if f.Size == 0 || f.Size > limit || !m.Keeps(info) {
		return
	}
	data, err := readAll(f)
	if err != nil || f.Changed() {
		return
	}
	k := &inMemory{file: *f, data: data}
	k.file.Content = nil
	m.Put(pathIn(tree, f.Name), info, k)
}
