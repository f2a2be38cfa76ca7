package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"pxeagent/agent/boot"
)

// A client that takes less than stallBytes in stallLimit has stalled. That is 9 kB/s, below which no image arrives in a day.
const (
	stallLimit = 60 * time.Second
	stallBytes = 512 << 10
)

// writer counts what is written and gives the client time piece by piece. It passes files on to the
// connection's own ReadFrom, so that the kernel copies them (sendfile).
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int
	written int64
	err     error // the first of writing
}

func newWriter(rw http.ResponseWriter, stall time.Duration) *writer {
	w := &writer{ResponseWriter: rw, control: http.NewResponseController(rw), stall: stall}
	w.extend() // the last answer's deadline on this connection may be over
	return w
}

// extend gives the client time for another piece. Where the connection knows no deadlines there are none.
func (w *writer) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.extend()
	n, err := w.ResponseWriter.Write(p)
	w.wrote(int64(n), err)
	return n, err
}

func (w *writer) wrote(n int64, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.written += n
	if w.err == nil {
		w.err = err
	}
}

// ReadFrom copies src to the client. A deadline holds for a whole call of the connection's ReadFrom, so
// it is called for a piece at a time.
func (w *writer) ReadFrom(src io.Reader) (total int64, err error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	// The connection looks through one LimitedReader for a file, not through two.
	limit := int64(1<<63 - 1)
	if l, ok := src.(*io.LimitedReader); ok {
		src, limit = l.R, l.N
	}
	for limit > 0 {
		piece := min(limit, stallBytes)
		w.extend()
		n, err := to.ReadFrom(&io.LimitedReader{R: src, N: piece})
		w.wrote(n, err)
		total += n
		limit -= n
		if err != nil || n < piece {
			return total, err
		}
	}
	return total, nil
}

// judge says how a request ended that nobody has found fault with before.
func (w *writer) judge(r *http.Request, t *boot.Transfer) {
	if t.Outcome != boot.OK {
		return
	}
	var network net.Error
	var op *net.OpError
	switch {
	case w.err != nil && errors.As(w.err, &network) && network.Timeout(), errors.Is(w.err, os.ErrDeadlineExceeded):
		t.Outcome, t.Err = boot.TimedOut, w.err
	case errors.As(w.err, &op), w.err != nil && r.Context().Err() != nil:
		t.Outcome, t.Err = boot.Aborted, w.err
	case w.err != nil:
		t.Outcome, t.Err = boot.Failed, w.err
	case r.Method == http.MethodHead && w.status < 400:
		t.Outcome = boot.SizeProbe
	case w.status == http.StatusNotFound:
		t.Outcome = boot.NotFound
	case w.status >= 500 && t.Artifact != boot.Internal: // 503 of /readyz is an answer
		t.Outcome, t.Err = boot.Failed, fmt.Errorf("status %d", w.status)
	case w.status >= 400 && w.status < 500:
		t.Outcome, t.Err = boot.Refused, fmt.Errorf("status %d", w.status)
	case w.short() && errors.Is(r.Context().Err(), context.Canceled):
		t.Outcome, t.Err = boot.Aborted, context.Canceled
	case w.short():
		t.Outcome, t.Err = boot.Failed, fmt.Errorf("the file became shorter while it was sent: %w", io.ErrUnexpectedEOF)
	}
}

// short: less was written than the header promised.
func (w *writer) short() bool {
	if w.status != http.StatusOK && w.status != http.StatusPartialContent {
		return false
	}
	length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
	return err == nil && w.written < length
}
