package tftp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// collect reads a source as a transfer does, in flights, each twice.
func collect(t *testing.T, s *source, window int) []byte {
	t.Helper()
	var got []byte
	for block := int64(1); ; {
		var first []byte
		for try := range 2 {
			at, length, n, err := s.flight(block, window)
			if err != nil {
				t.Fatal(err)
			}
			if n < 1 || n > window || length > n*s.blksize || length <= (n-1)*s.blksize-1 {
				t.Fatalf("block %d: %d bytes in %d blocks", block, length, n)
			}
			if try == 0 {
				first = append(first, s.buf[at:at+length]...)
				continue
			}
			if !bytes.Equal(first, s.buf[at:at+length]) {
				t.Fatalf("block %d reads differently", block)
			}
			got = append(got, first...)
			if length < n*s.blksize {
				return got
			}
			block += int64(n)
		}
	}
}

func TestSourceGivesTheFile(t *testing.T) {
	for _, blksize := range []int{8, 512, 1432, 65464} {
		for _, window := range []int{1, 3} {
			for _, size := range []int{0, 1, blksize - 1, blksize, blksize + 1, 3 * blksize, 7*blksize + 5, readAhead, 100_000} {
				file := pattern(size)
				s := newSource(bytes.NewReader(file), int64(size), terms{blksize: blksize, window: window})
				if got := collect(t, s, window); !bytes.Equal(got, file) {
					t.Errorf("blksize %d, window %d: %d bytes of %d", blksize, window, len(got), size)
				}
				s.release()
			}
		}
	}
}

func TestSourceGivesText(t *testing.T) {
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
				s := newSource(newNetascii(strings.NewReader(tt.text)), -1, terms{blksize: blksize, window: window})
				if got := string(collect(t, s, window)); got != tt.want {
					t.Errorf("%.20q, blksize %d, window %d: %d bytes, want %d", tt.text, blksize, window, len(got), len(tt.want))
				}
				s.release()
			}
		}
	}
}

func FuzzNetascii(f *testing.F) {
	f.Add("a\nb\r\nc", uint8(8), uint8(1))
	f.Fuzz(func(t *testing.T, text string, blksize, window uint8) {
		tm := terms{blksize: int(max(blksize, minBlksize)), window: int(max(window%8, 1))}
		s := newSource(newNetascii(strings.NewReader(text)), -1, tm)
		defer s.release()
		want := strings.NewReplacer("\n", "\r\n", "\r", "\r\x00").Replace(text)
		if got := string(collect(t, s, tm.window)); got != want {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestSourceTellsOfBadFiles(t *testing.T) {
	short := newSource(bytes.NewReader(pattern(1000)), 1001, terms{blksize: 512, window: 1})
	if _, _, _, err := short.flight(1, 1); !errors.Is(err, errShrunk) {
		t.Errorf("a file that became shorter: %v", err)
	}
	// Growing is harmless: what was promised is sent.
	grown := newSource(bytes.NewReader(pattern(2000)), 1000, terms{blksize: 512, window: 1})
	if got := collect(t, grown, 1); !bytes.Equal(got, pattern(2000)[:1000]) {
		t.Errorf("a file that grew: %d bytes", len(got))
	}
	// The beginning of a changed file goes out, its end does not.
	changed := newSource(bytes.NewReader(pattern(40_000)), 40_000, terms{blksize: 512, window: 1})
	changed.changed = func() bool { return true }
	if _, _, _, err := changed.flight(1, 1); err != nil {
		t.Errorf("the beginning of a file that changes: %v", err)
	}
	if _, _, _, err := changed.flight(79, 1); !errors.Is(err, errChanged) {
		t.Errorf("the end of a file that was changed: %v", err)
	}
	bad := newSource(readerAt{iotest.ErrReader(io.ErrUnexpectedEOF)}, 10, terms{blksize: 512, window: 1})
	if _, _, _, err := bad.flight(1, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
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
