package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"
)

// errStalled: the server stopped sending and did not hang up.
var errStalled = errors.New("nothing came")

// errCut: the server hung up before the end.
var errCut = errors.New("the connection was cut")

// stallReader gives up a body that brings nothing for a while.
type stallReader struct {
	in      io.Reader
	after   time.Duration
	timer   *time.Timer
	stalled atomic.Bool
}

// newStallReader calls cancel, which must end a Read of in, when nothing came for that long.
func newStallReader(in io.Reader, after time.Duration, cancel context.CancelFunc) *stallReader {
	s := &stallReader{in: in, after: after}
	s.timer = time.AfterFunc(after, func() { s.stalled.Store(true); cancel() })
	return s
}

func (s *stallReader) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if err != nil {
		s.timer.Stop()
	} else if n > 0 && !s.stalled.Load() {
		s.timer.Reset(s.after)
	}
	return n, err
}

// cause is why reading ended.
func (s *stallReader) cause(err error) error {
	switch {
	case s.stalled.Load():
		return fmt.Errorf("%w for %s", errStalled, s.after)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return errCut
	}
	return err
}
