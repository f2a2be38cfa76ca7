package tftp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// keeper is a loop that sends nothing, with one transfer of a file.
type keeper struct {
	*loop
	t    *transfer
	read chan message
}

// keeping is a keeper of f, whose chunks it has at most most of.
func keeping(f *File, netascii bool, blksize, most int) *keeper {
	f.Changed = func() bool { return false } // on a disk
	s := New(Config{})
	k := &keeper{loop: &loop{server: s, start: time.Now()}, read: make(chan message, 100)}
	k.cache = newCache(&s.contents, nil, func(f func()) { go f() }, func(ch *chunk, err error) { k.read <- message{chunk: ch, err: err} })
	k.cache.most = most
	k.t = &transfer{server: s, content: s.contents.open(f, netascii), terms: terms{blksize: blksize, window: 1}}
	k.t.size = k.t.content.size
	k.t.content.sends = 1
	return k
}

// blocks returns count blocks from one on, or those that there are.
func (k *keeper) blocks(block int64, count int) ([]byte, error) {
	size := int64(k.t.terms.blksize)
	from, to := (block-1)*size, (block-1+int64(count))*size
	if c := k.t.content; c.size >= 0 {
		to = min(to, c.size)
	}
	for from < to && !k.cache.have(k.t, from/chunkSize, (to-1)/chunkSize) {
		for k.t.waits > 0 {
			m := <-k.read
			if k.t.waits -= len(k.cache.loaded(m.chunk, m.err)); m.err != nil {
				return nil, m.err
			}
		}
	}
	defer k.cache.let(k.t)
	return k.t.payload(nil, from, int(max(0, to-from))), nil
}

// collect reads a file as a transfer does, in flights, each twice.
func collect(t *testing.T, k *keeper, window int) []byte {
	t.Helper()
	var got []byte
	for block := int64(1); ; block += int64(window) {
		first, err := k.blocks(block, window)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := k.blocks(block, window); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("block %d reads differently, %v", block, err)
		}
		got = append(got, first...)
		if len(first) < window*k.t.terms.blksize {
			return got
		}
		if most := k.cache.most + 2 + window*k.t.terms.blksize/chunkSize; k.cache.count > most {
			t.Fatalf("%d chunks are kept, want at most %d", k.cache.count, most)
		}
	}
}

func TestContentGivesTheFile(t *testing.T) {
	for _, blksize := range []int{8, 512, 1432, 65464} {
		for _, window := range []int{1, 3} {
			for _, size := range []int{0, 1, blksize - 1, blksize, blksize + 1, 3 * blksize, 7*blksize + 5, chunkSize, 100_000} {
				file := pattern(size)
				k := keeping(&File{ReaderAt: bytes.NewReader(file), Size: int64(size)}, false, blksize, 1)
				if got := collect(t, k, window); !bytes.Equal(got, file) {
					t.Errorf("blksize %d, window %d: %d bytes of %d", blksize, window, len(got), size)
				}
			}
		}
	}
}

func TestContentGivesText(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"a", "a"},
		{"a\nb\r\nc\rd", "a\r\nb\r\x00\r\nc\r\x00d"},
		{strings.Repeat("\n", 9000), strings.Repeat("\r\n", 9000)},
		{strings.Repeat("line\n", 10_000), strings.Repeat("line\r\n", 10_000)},
		{strings.Repeat("x", 511) + "\n", strings.Repeat("x", 511) + "\r\n"},
		{strings.Repeat("x", 510) + "\n", strings.Repeat("x", 510) + "\r\n"},
	} {
		for _, window := range []int{1, 2, 5} {
			for _, blksize := range []int{8, 9, 512, 1432} {
				k := keeping(&File{ReaderAt: strings.NewReader(tt.text)}, true, blksize, 1)
				if got := string(collect(t, k, window)); got != tt.want {
					t.Errorf("%.20q, blksize %d, window %d: %d bytes, want %d", tt.text, blksize, window, len(got), len(tt.want))
				}
			}
		}
	}
}

func FuzzNetascii(f *testing.F) {
	f.Add("a\nb\r\nc", uint8(8), uint8(1))
	f.Fuzz(func(t *testing.T, text string, blksize, window uint8) {
		k := keeping(&File{ReaderAt: strings.NewReader(text)}, true, int(max(blksize, minBlksize)), 1)
		want := strings.NewReplacer("\n", "\r\n", "\r", "\r\x00").Replace(text)
		if got := string(collect(t, k, int(max(window%8, 1)))); got != want {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestContentTellsOfBadFiles(t *testing.T) {
	short := keeping(&File{ReaderAt: bytes.NewReader(pattern(1000)), Size: 1001}, false, 512, 9)
	if _, err := short.blocks(1, 1); !errors.Is(err, errShrunk) {
		t.Errorf("a file that became shorter: %v", err)
	}
	// Growing is harmless: what was promised is sent.
	grown := keeping(&File{ReaderAt: bytes.NewReader(pattern(2000)), Size: 1000}, false, 512, 9)
	if got := collect(t, grown, 1); !bytes.Equal(got, pattern(2000)[:1000]) {
		t.Errorf("a file that grew: %d bytes", len(got))
	}
	bad := keeping(&File{ReaderAt: readerAt{iotest.ErrReader(io.ErrUnexpectedEOF)}, Size: 10}, false, 512, 9)
	if _, err := bad.blocks(1, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

type readerAt struct{ io.Reader }

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return r.Read(p) }

// pattern is n bytes that differ from block to block.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*31)
	}
	return b
}
