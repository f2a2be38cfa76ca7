package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
)

// errStalled: the server stopped sending and did not hang up.
var errStalled = errors.New("nothing came")

// errSlow: the server sends so little that nobody would wait for the end.
var errSlow = errors.New("too little came")

// errCut: the server hung up before the end.
var errCut = errors.New("the connection was cut")

// A download that brings less than minRate bytes a second over slowAfter is ended. There is no limit on the time in
// all: an ISO image over a thin line may take a night.
const (
	minRate   = 1 << 10
	slowAfter = time.Minute
)

// stallReader gives up a body that brings nothing for a while, or too little for longer.
type stallReader struct {
	in     io.Reader
	after  time.Duration
	cancel context.CancelFunc
	silent *time.Timer
	slow   *time.Timer
	got    atomic.Int64 // bytes since slow was last started
	gaveUp atomic.Pointer[error]
}

// newStallReader calls cancel, which must end a Read of in, when nothing came for that long, or less than minRate over
// slowAfter. Stop it when nobody reads from it any more.
func newStallReader(in io.Reader, after time.Duration, cancel context.CancelFunc) *stallReader {
	s := &stallReader{in: in, after: after, cancel: cancel}
	s.silent = time.AfterFunc(after, func() { s.giveUp(fmt.Errorf("%w for %s", errStalled, after)) })
	s.slow = time.AfterFunc(slowAfter, s.checkRate)
	return s
}

func (s *stallReader) giveUp(why error) {
	s.gaveUp.CompareAndSwap(nil, &why)
	s.cancel()
}

func (s *stallReader) checkRate() {
	if n := s.got.Swap(0); n < minRate*int64(slowAfter/time.Second) {
		s.giveUp(fmt.Errorf("%w: %s in %s", errSlow, humanize.IBytes(uint64(n)), slowAfter))
		return
	}
	s.slow.Reset(slowAfter)
}

func (s *stallReader) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.got.Add(int64(n))
	if err != nil {
		s.stop()
	} else if n > 0 && s.gaveUp.Load() == nil {
		s.silent.Reset(s.after)
	}
	return n, err
}

func (s *stallReader) stop() {
	s.silent.Stop()
	s.slow.Stop()
}

// cause is why reading ended.
func (s *stallReader) cause(err error) error {
	why := s.gaveUp.Load()
	switch {
	case why != nil:
		return *why
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return errCut
	}
	return err
}
