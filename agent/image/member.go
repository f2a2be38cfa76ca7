package image

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// member is one entry of an archive.
type member struct {
	name string
	kind memberKind
	link string // target of a link
	size int64
	data io.Reader
}

type memberKind int

const (
	plainFile memberKind = iota
	aFolder
	symbolicLink
	hardLink
	other // a device, a FIFO, a socket
)

// members calls do for each entry of an archive, in its order, until one fails. The kind of the archive is known by its
// first bytes; count gets how much of it was read.
func members(file io.ReaderAt, size int64, count io.Writer, do func(member) error) error {
	in := bufio.NewReaderSize(io.TeeReader(io.NewSectionReader(file, 0, size), count), 1<<16)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the archive: %w", err)
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return damaged(err)
		}
		return tarMembers(z, do)
	case bytes.HasPrefix(head, []byte("BZh")):
		return tarMembers(bzip2.NewReader(in), do)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return zipMembers(file, size, do)
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return tarMembers(in, do)
	}
	return fmt.Errorf("%w: it is not a tar, tar.gz, tar.bz2 or zip file", ErrArchive)
}

// damaged is for what a reader of an archive says of it. What the disk says is not about the archive.
func damaged(err error) error {
	var onDisk *fs.PathError
	if errors.As(err, &onDisk) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", ErrArchive)
	}
	return fmt.Errorf("%w: it is damaged: %w", ErrArchive, err)
}

func tarMembers(in io.Reader, do func(member) error) error {
	t := tar.NewReader(in)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return fmt.Errorf("%w: it is empty", ErrArchive)
			}
			// What follows the last entry still belongs to the file whose checksum gzip has.
			_, err := io.Copy(io.Discard, io.LimitReader(in, 1<<20))
			if err != nil {
				return damaged(err)
			}
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		m := member{name: h.Name, link: h.Linkname, size: h.Size, data: t}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeDir:
			m.kind = aFolder
		case tar.TypeSymlink:
			m.kind = symbolicLink
		case tar.TypeLink:
			m.kind = hardLink
		case tar.TypeXGlobalHeader:
			continue
		default:
			m.kind = other
		}
		if err := do(m); err != nil {
			return err
		}
	}
}

func zipMembers(file io.ReaderAt, size int64, do func(member) error) error {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return damaged(err)
	}
	for _, e := range z.File {
		m := member{name: e.Name, size: int64(e.UncompressedSize64)}
		if e.UncompressedSize64 > 1<<62 {
			return fmt.Errorf("%w: %q says it has %d bytes", ErrArchive, e.Name, e.UncompressedSize64)
		}
		switch mode := e.Mode(); {
		case mode.IsDir():
			m.kind = aFolder
		case mode&fs.ModeSymlink != 0:
			m.kind = symbolicLink
		case !mode.IsRegular():
			m.kind = other
		}
		in, err := e.Open()
		if err != nil {
			return damaged(err)
		}
		if m.kind == symbolicLink {
			target, err := io.ReadAll(io.LimitReader(in, 4096))
			if err != nil {
				in.Close()
				return damaged(err)
			}
			m.link = string(target)
		}
		m.data = in
		err = do(m)
		in.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// unpackedSize is how much an archive holds, in bytes, by what it says itself; what it does not say is taken for four
// times its size.
func unpackedSize(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	guess := 4 * info.Size()
	head, tail := make([]byte, 4), make([]byte, 4)
	if _, err := f.ReadAt(head, 0); err != nil {
		return guess
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		z, err := zip.NewReader(f, info.Size())
		if err != nil {
			return guess
		}
		var sum int64
		for _, e := range z.File {
			sum += int64(min(e.UncompressedSize64, 1<<50))
		}
		return sum
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		// gzip ends with the size, modulo 4 GiB: at least as much as it was packed to, or it went over.
		if _, err := f.ReadAt(tail, info.Size()-4); err != nil {
			return guess
		}
		if n := int64(binary.LittleEndian.Uint32(tail)); n >= info.Size() {
			return n
		}
	case !bytes.HasPrefix(head, []byte("BZh")):
		return info.Size()
	}
	return guess
}
