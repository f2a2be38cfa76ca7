package web

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// stallLimit is how long a client may acknowledge nothing of what it is sent. However slow it is, an image arrives as
// long as it takes some of it in that time. After a loss TCP doubles its wait each time (RFC 6298), from 0.2 to 0.4 s
// and so on, so that one that was out of reach for 55 s is tried again at 102 s.
const stallLimit = 120 * time.Second

// looks is how often in stallLimit a write is restarted. One that waits is not woken before a third of the socket's
// buffer is free, which is megabytes: with a slow client that takes minutes. One that begins finds what the client has
// made room for.
const looks = 8

// conn is a connection of a Listener. Its writes, of files by the kernel's own copying (sendfile) among them, go on as
// long as the client acknowledges something: nothing else makes room in the socket's buffer.
type conn struct {
	*net.TCPConn
	stall    time.Duration
	listener *Listener
	from     netip.Prefix // whose connections are counted together
	idle     atomic.Int64 // Listener.idled when it became idle; 0: it is in use
	due      time.Time    // what SetWriteDeadline was given
	armed    time.Time    // when the socket ends a write, as send has set it
}

func (c *conn) Close() error {
	defer c.listener.left(c)
	return c.TCPConn.Close()
}

// SetWriteDeadline sets a time at which writes end even if the client goes on taking.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.due = t
	if t.IsZero() {
		return nil // send sets one before each write
	}
	c.armed = t
	return c.TCPConn.SetWriteDeadline(t)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.send(func(done int64) (int64, error) {
		n, err := c.TCPConn.Write(p[done:])
		return int64(n), err
	})
	return int(n), err
}

// ReadFrom sends what src has. The kernel copies it where src is a plain file behind one io.LimitedReader.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	part, ok := src.(*io.LimitedReader)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	f, ok := part.R.(*os.File)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	from, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	size := part.N
	return c.send(func(done int64) (int64, error) {
		// Where the kernel does not copy by itself, more may have been read than was sent when time was over.
		if _, err := f.Seek(from+done, io.SeekStart); err != nil {
			return 0, err
		}
		part.N = size - done
		return c.TCPConn.ReadFrom(part)
	})
}

// send calls step with the number of bytes that were sent before, until there is no more to send or the client stalls.
// The error is os.ErrDeadlineExceeded then.
func (c *conn) send(step func(done int64) (int64, error)) (done int64, err error) {
	now := time.Now()
	for since := now; ; {
		until := now.Add(c.stall / looks)
		if !c.due.IsZero() && c.due.Before(until) {
			until = c.due
		}
		// One that has half of its time left is left alone, for small answers follow each other quickly.
		if left := c.armed.Sub(now); left < c.stall/looks/2 || c.armed.After(until) {
			c.armed = until
			_ = c.TCPConn.SetWriteDeadline(until) // fails where the connection is closed, as step will
		}
		n, err := step(done)
		done += n
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		now = time.Now()
		if n > 0 {
			since = now
		}
		expired := !c.due.IsZero() && !now.Before(c.due)
		if expired || now.Sub(since) >= c.stall {
			return done, err
		}
	}
}
