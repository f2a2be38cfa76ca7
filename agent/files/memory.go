package files

import (
	"os"
	"strconv"
	"time"

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

// trust is how long a file in memory is served without a look at the disk. A change is served that much later at most.
const trust = 2 * time.Millisecond

// httpDate is how HTTP writes a time, which is in UTC (RFC 9110 section 5.6.7).
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// memory keeps small files that were served, so that the next request costs one look at whether the file is still the
// same. A room of machines asks for the same few.
type memory struct{ catalog.Kept[*InMemory] }

// InMemory is a file as it was when it was read. Nothing in it is to be changed.
type InMemory struct {
	Data []byte
	// Values of fields of a header, each one text.
	ContentType, ETag, LastModified, Length []string

	file File // that is given to everyone who asks
	// plain: it is what everyone gets who asks for its path by HTTP. A name that DHCP sends, or one of a boot program,
	// may be answered with something else.
	plain bool
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
	return &f, true
}

// openPlain is that for the path of a name, where everyone is given the file who asks for it. The name has nothing that
// is to be put right.
func (m *memory) openPlain(tree, name string) (*File, bool) {
	var room [512]byte
	k, ok := m.FindBytes(append(append(append(room[:0], tree...), '/'), name...))
	if !ok || !k.plain {
		return nil, false
	}
	return &k.file, true
}

// keep keeps a file of a tree that is small. sent: DHCP sends its name.
func (m *memory) keep(proto boot.Proto, tree string, sent bool, f *File, info os.FileInfo) {
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
	k := &InMemory{
		Data: data, ContentType: []string{f.ContentType}, ETag: []string{f.ETag},
		LastModified: []string{f.ModTime.UTC().Format(httpDate)}, Length: []string{strconv.FormatInt(f.Size, 10)},
		file: *f, plain: proto == boot.HTTP && !sent && f.Artifact != boot.NBP,
	}
	k.file.Content, k.file.id, k.file.Kept = nil, &data[0], k
	m.Put(pathIn(tree, f.Name), info, k)
}
