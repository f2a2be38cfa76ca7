package tftp

import (
	"fmt"
	"io"
)

// netascii gives a text as RFC 764 sends it: LF becomes CR LF and CR becomes CR NUL. tftp-hpa and the BSD clients ask
// for it by default. A read may begin anywhere at or after the beginning of the last one, which is all
// that a transfer needs to send again; where in the file a position of the output is cannot be computed, only
// remembered.
type netascii struct {
	src io.ReaderAt
	buf []byte
	at  converted // the beginning of the last read
}

// converted is a position in the output and what comes there.
type converted struct {
	out, in int64
	due     bool // the second byte of a pair comes before what is at in
	second  byte
}

func newNetascii(src io.ReaderAt) *netascii { return &netascii{src: src, buf: make([]byte, 4096)} }

// ReadAt is io.ReaderAt, except that off must not be below the last off.
func (a *netascii) ReadAt(p []byte, off int64) (int, error) {
	if off < a.at.out {
		return 0, fmt.Errorf("netascii: position %d is before %d", off, a.at.out)
	}
	var skip [512]byte
	for a.at.out < off {
		k, err := a.read(skip[:min(off-a.at.out, int64(len(skip)))], &a.at)
		if err != nil && (k == 0 || err != io.EOF) {
			return 0, err
		}
	}
	c := a.at // a copy, as what is read from here may be read once more
	return a.read(p, &c)
}

func (a *netascii) read(p []byte, c *converted) (n int, err error) {
	defer func() { c.out += int64(n) }()
	if c.due && len(p) > 0 {
		p[0], n, c.due = c.second, 1, false
	}
	for n < len(p) {
		k, err := a.src.ReadAt(a.buf[:min(len(a.buf), len(p)-n)], c.in)
		for _, b := range a.buf[:k] {
			if n == len(p) {
				break
			}
			c.in++
			switch b {
			case '\n':
				c.second = '\n'
			case '\r':
				c.second = 0
			default:
				p[n] = b
				n++
				continue
			}
			p[n] = '\r'
			n++
			if c.due = n == len(p); !c.due {
				p[n] = c.second
				n++
			}
		}
		if err != nil && (k == 0 || err != io.EOF) {
			return n, err
		}
	}
	return n, nil
}
