package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// archive writes the program and what lies in shared, in a folder named like the archive. The order of names, the owner
// and the time are the same wherever it is made.
func (r *release) archive(path, binary, shared string) error {
	return writeTar(path, func(t *tar.Writer) error {
		top := strings.TrimSuffix(filepath.Base(path), ".tar.gz")
		if err := r.add(t, top+"/pxeagent", binary, 0o755); err != nil {
			return err
		}
		// WalkDir goes in the order of names.
		return filepath.WalkDir(shared, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == forPackages {
					return filepath.SkipDir
				}
				return nil
			}
			inside, err := filepath.Rel(shared, name)
			if err != nil {
				return err
			}
			return r.add(t, top+"/"+filepath.ToSlash(inside), name, 0o644)
		})
	})
}

// writeTar makes a tar at path, compressed by gzip, with what fill adds.
func writeTar(path string, fill func(*tar.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	if err := fill(t); err != nil {
		return err
	}
	for _, c := range []io.Closer{t, z, f} {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// add appends a file.
func (r *release) add(t *tar.Writer, name, from string, mode int64) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	h := &tar.Header{
		Name: name, Size: int64(len(b)), Mode: mode, ModTime: r.date, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = t.Write(b)
	return err
}

// sums is the file that `sha256sum --check` reads.
const sums = "SHA256SUMS"

// writeSums writes the checksum of each file in dir.
func writeSums(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), n.Name())
	}
	return os.WriteFile(filepath.Join(dir, sums), []byte(text.String()), 0o644)
}
