package tftp

import (
	"fmt"
	"io"
	"sync"
)

// netascii gives a text as RFC 764 sends it: LF becomes CR LF and CR becomes CR NUL. tftp-hpa and the BSD clients ask
// for it by default. Where in the file a position of the output is cannot be computed, only remembered: a read may
// begin where one of the last began, or after that. That is all that a transfer needs to send again.
type netascii struct {
	mu    sync.Mutex
	src   io.ReaderAt
	buf   []byte
	marks [remembers]converted // where the last reads began, the newest first
}

// remembers is more than the chunks that a flight may touch.
const remembers = maxFlight/chunkSize + 4

// converted is a position in the output and what comes there.
type converted struct {
	out, in int64
	due     bool // the second byte of a pair comes before what is at in
	second  byte
}

func newNetascii(src io.ReaderAt) *netascii { return &netascii{src: src, buf: make([]byte, 4096)} }

// ReadAt is io.ReaderAt, except that off must not be before all reads that are remembered.
func (a *netascii) ReadAt(p []byte, off int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := 0
	for a.marks[i].out > off {
		if i++; i == len(a.marks) {
			return 0, fmt.Errorf("netascii: position %d is long past", off)
		}
	}
	c := a.marks[i]
	var skip [512]byte
	for c.out < off {
		k, err := a.read(skip[:min(off-c.out, int64(len(skip)))], &c)
		if err != nil && (k == 0 || err != io.EOF) {
			return 0, err
		}
	}
	if c.out > a.marks[0].out {
		copy(a.marks[1:], a.marks[:])
		a.marks[0] = c
	}
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
