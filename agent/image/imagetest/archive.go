package imagetest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
	"testing"
)

// Entry is one entry of a tar archive. With no Type it is a plain file, or a folder where the name ends with a slash.
type Entry struct {
	Name string
	Body string
	Type byte
	Link string
	Mode int64
	Size int64 // where it is to be other than the body's length, which only a header can say
}

// Tar is a tar archive.
func Tar(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.Name, Typeflag: e.Type, Linkname: e.Link, Mode: e.Mode, Size: int64(len(e.Body))}
		switch {
		case h.Typeflag == 0 && strings.HasSuffix(e.Name, "/"):
			h.Typeflag = tar.TypeDir
		case h.Typeflag == 0:
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if e.Size != 0 {
			h.Size = e.Size
		}
		if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
			h.Devmajor, h.Devminor = 1, 3
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Size != 0 }) {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Gzip packs bytes.
func Gzip(t testing.TB, in []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TGZ is a packed tar archive.
func TGZ(t testing.TB, entries ...Entry) []byte { t.Helper(); return Gzip(t, Tar(t, entries...)) }

// Zip is a zip archive of plain files.
func Zip(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.Create(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Sum is a checksum in hex.
func Sum(kind string, body []byte) string {
	h := map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[kind]()
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// SumLine is a line of a list as sha256sum and its kin write it.
func SumLine(kind, name string, body []byte) string {
	return fmt.Sprintf("%s  %s\n", Sum(kind, body), name)
}
