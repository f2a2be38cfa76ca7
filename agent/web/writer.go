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

	"pxeagent/agent/boot"
)

// tail is how many bytes at the end of a file are sent only after it was seen that the file is still the same.
const tail = 4 << 10

var errChanged = errors.New("the file was changed while it was sent")

// writer counts what is written. It passes files on to the connection's own ReadFrom, so that the kernel
// copies them (sendfile).
type writer struct {
	http.ResponseWriter
	changed func() bool // asked before the last bytes, which are not sent if it is so; nil: what is sent is no file
	status  int
	written int64
	err     error // the first of writing
}

func newWriter(rw http.ResponseWriter) *writer {
	return &writer{ResponseWriter: rw}
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends what was read of a file only if the file is the same after it was read.
func (w *writer) Write(p []byte) (n int, err error) {
	if w.changed != nil && w.changed() {
		err = errChanged
	}
	if err == nil {
		n, err = w.ResponseWriter.Write(p)
	}
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

// ReadFrom copies src to the client, all but its tail by the connection itself.
func (w *writer) ReadFrom(src io.Reader) (total int64, err error) {
	to, ok := w.ResponseWriter.(io.ReaderFrom)
	// The connection looks through one LimitedReader for a file, not through two.
	part, limited := src.(*io.LimitedReader)
	if !ok || !limited {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	if head := part.N - tail; head > 0 {
		total, err = to.ReadFrom(&io.LimitedReader{R: part.R, N: head})
		part.N -= total
		w.wrote(total, err)
		if err != nil || total < head {
			return total, err
		}
	}
	rest := make([]byte, part.N)
	n, err := io.ReadFull(part, rest)
	if rest = rest[:n]; err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		w.wrote(0, err)
		return total, err
	}
	n, err = w.Write(rest)
	return total + int64(n), err
}

// judge says how a request ended that nobody has found fault with before.
func (w *writer) judge(r *http.Request, t *boot.Transfer) {
	if t.Outcome != boot.OK {
		return
	}
	switch {
	case w.err != nil:
		t.Outcome, t.Err = failed(w.err, r), w.err
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

// failed is how a request ended whose answer could not be written.
func failed(err error, r *http.Request) boot.Outcome {
	var network net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return boot.TimedOut
	case errors.As(err, &op), r.Context().Err() != nil:
		return boot.Aborted
	}
	return boot.Failed
}

// short: less of a file was written than the header promised.
func (w *writer) short() bool {
	if w.changed == nil || w.status != http.StatusOK && w.status != http.StatusPartialContent {
		return false
	}
	length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
	return err == nil && w.written < length
}
