package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// entryTypes are the letters of a described archive.
var entryTypes = map[byte]byte{
	'f': tar.TypeReg, 'd': tar.TypeDir, 's': tar.TypeSymlink, 'h': tar.TypeLink, 'c': tar.TypeChar, 'b': tar.TypeBlock,
	'p': tar.TypeFifo,
}

// described makes a tar archive, or a zip, of one line for each entry: "fNAME|BODY", "dNAME", "sNAME|TARGET",
// "hNAME|TARGET". A whole archive would be too long for the fuzzer to make smaller in a second.
func described(text string, asZip bool) []byte {
	var b bytes.Buffer
	w, z := tar.NewWriter(&b), zip.NewWriter(&b)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || entryTypes[line[0]] == 0 {
			continue
		}
		name, rest, _ := strings.Cut(line[1:], "|")
		h := &tar.Header{Name: name, Typeflag: entryTypes[line[0]], Mode: 0o4777, ModTime: time.Unix(1, 0)}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(rest))
		} else {
			h.Linkname = rest
		}
		if asZip {
			zh := &zip.FileHeader{Name: name}
			zh.SetMode(h.FileInfo().Mode())
			if out, err := z.CreateHeader(zh); err == nil {
				io.WriteString(out, rest)
			}
		} else if w.WriteHeader(h) == nil && h.Typeflag == tar.TypeReg {
			io.WriteString(w, rest)
		}
	}
	if asZip {
		z.Close()
	} else {
		w.Close()
	}
	return b.Bytes()
}

// Whatever an archive says, what is unpacked lies in its folder, can be read without leaving it, and is within the
// limits.
func FuzzUnpack(f *testing.F) {
	for _, text := range []string{
		"fa/b|x\nsl|a/b", "f../a|x", "da\nfa/b|x", "fa|x\nhb|a", "sd|..\nfd/evil|x", "sl|l", "cnull", "fa|1\nfa/b|2",
		"sa|b\nsb|..\nha|b", "f/etc/x|y",
	} {
		f.Add(text, false, uint16(0), byte(0))
		f.Add(text, true, uint16(40), byte(1))
	}
	around := f.TempDir()
	dir := filepath.Join(around, "image")
	max := limits{files: 20, bytes: 1 << 10}
	f.Fuzz(func(t *testing.T, text string, asZip bool, at uint16, flip byte) {
		archive := described(text, asZip)
		if len(archive) > 0 {
			archive[int(at)%len(archive)] ^= flip
		}
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		u := newUnpacker(root, max, 1<<20, nil)
		if err = u.archive(bytes.NewReader(archive), int64(len(archive)), ".", 0, &meter{}); err == nil {
			err = u.finish()
		}
		if entries, _ := os.ReadDir(around); len(entries) != 1 {
			t.Errorf("something was written outside: %v", entries)
		}
		if err == nil {
			inFolder(t, root, max)
		}
	})
}

// inFolder fails unless all that is there can be read, is a file, a folder or a link, and has no more than the limits
// allow.
func inFolder(t *testing.T, root *os.Root, max limits) {
	t.Helper()
	files, total := 0, int64(0)
	fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return nil
		}
		info, err := root.Stat(p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return nil
		}
		if !d.IsDir() {
			files++
			if info.Mode().IsRegular() && d.Type().IsRegular() {
				total += info.Size()
			}
		}
		if d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 || d.Type().IsRegular() && info.Mode() != 0o644 {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
		return nil
	})
	// A hard link counts as the file that it is a link to once more.
	if files > max.files || total > max.bytes*int64(max.files) {
		t.Errorf("%d files with %d bytes", files, total)
	}
}
