package tftp

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
)

// readAhead is how much of a file is read at once where the window is smaller. Then a block of 1432 bytes costs a
// read in every eleventh block only.
const readAhead = 16 << 10

var (
	errShrunk  = errors.New("the file became shorter while it was sent")
	errChanged = errors.New("the file was changed while it was sent")
)

// source is a file cut into blocks. It holds a stretch of it that covers the flight under way.
type source struct {
	file    io.ReaderAt
	size    int64 // negative: not known before the end
	blksize int
	changed func() bool // see File

	pooled *[]byte
	buf    []byte // headerLen bytes of room, then the stretch
	first  int64  // block that the stretch begins with
	have   int    // bytes in it
	end    bool   // the file ends with it
}

func newSource(file io.ReaderAt, size int64, t terms) *source {
	need := max(t.window*t.blksize, readAhead)
	if size >= 0 {
		need = int(min(int64(need), size))
	}
	s := &source{file: file, size: size, blksize: t.blksize, first: 1}
	s.pooled = takeBuffer(headerLen + need)
	s.buf = (*s.pooled)[:headerLen+need]
	return s
}

func (s *source) release() { giveBuffer(s.pooled); s.pooled, s.buf = nil, nil }

// flight returns where in buf the payload of the blocks from block on lies, at most count of them, and how
// many there are. If the last of them is shorter than blksize, and be it empty, it is the file's last.
func (s *source) flight(block int64, count int) (at, length, n int, err error) {
	at = headerLen + int(block-s.first)*s.blksize
	if at > headerLen+s.have || (!s.end && at+count*s.blksize > headerLen+s.have) {
		if err := s.load(block); err != nil {
			return 0, 0, 0, err
		}
		at = headerLen
	}
	length = headerLen + s.have - at
	if length >= count*s.blksize {
		return at, count * s.blksize, count, nil
	}
	return at, length, length/s.blksize + 1, nil
}

// load reads the stretch that begins with block.
func (s *source) load(block int64) error {
	off := (block - 1) * int64(s.blksize)
	want := s.buf[headerLen:]
	if s.size >= 0 {
		want = want[:min(int64(len(want)), s.size-off)]
	}
	n, err := 0, error(nil)
	if len(want) > 0 {
		n, err = s.file.ReadAt(want, off)
	}
	switch {
	case n == len(want):
		s.end = s.size >= 0 && off+int64(n) == s.size
	case err == io.EOF && s.size < 0:
		s.end = true
	case err == io.EOF || err == nil:
		// Ending here would look like success to a client that has not asked for the size.
		return errShrunk
	default:
		return fmt.Errorf("reading block %d: %w", block, err)
	}
	// Whoever gets the last block takes the file for whole, so it must not be a mixture of two.
	if s.end && s.changed != nil && s.changed() {
		return errChanged
	}
	s.first, s.have = block, n
	return nil
}

// Buffers come in powers of two from 4 KiB, so that a script's transfer does not hold what a kernel's needs.
const smallest, largest = 12, 18

var buffers [largest - smallest + 1]sync.Pool

func takeBuffer(n int) *[]byte {
	class := max(bits.Len(uint(n-1)), smallest)
	if b, ok := buffers[class-smallest].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 1<<class)
	return &b
}

func giveBuffer(b *[]byte) { buffers[bits.Len(uint(len(*b)-1))-smallest].Put(b) }
