package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a client of HTTP waits for some bytes.
const patience = 2 * time.Minute

// httpClient asks for the same again and again, on one connection. It costs as little as it can, since it shares the
// processors with the server.
type httpClient struct {
	server, client netip.Addr
	path           string
	fresh          bool  // a connection for each request
	until          int64 // bytes of the body after which it stops; 0: at the end

	conn    *net.TCPConn
	request []byte
	buf     []byte
}

var errNoLength = errors.New("an answer without Content-Length")

// fetch returns how many bytes of the body came.
func (c *httpClient) fetch() (int64, error) {
	if c.buf == nil {
		c.buf = make([]byte, 256<<10)
		c.request = fmt.Appendf(nil,
			"GET %s HTTP/1.1\r\nHost: %v\r\nUser-Agent: iPXE/1.21.1\r\nConnection: keep-alive\r\n\r\n", c.path, c.server)
	}
	if c.conn == nil {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: c.client.AsSlice()}, Timeout: patience}
		conn, err := d.Dial("tcp4", netip.AddrPortFrom(c.server, 80).String())
		if err != nil {
			return 0, err
		}
		c.conn = conn.(*net.TCPConn)
	}
	n, err := c.exchange()
	if err != nil || c.fresh {
		c.close()
	}
	return n, err
}

func (c *httpClient) exchange() (int64, error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, err
	}
	got, head := 0, -1
	for head < 0 {
		n, err := c.conn.Read(c.buf[got:])
		if err != nil {
			return 0, err
		}
		got += n
		head = bytes.Index(c.buf[:got], []byte("\r\n\r\n"))
	}
	if !bytes.HasPrefix(c.buf, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("answer %.40q", c.buf[:head])
	}
	_, after, ok := bytes.Cut(c.buf[:head+2], []byte("\r\nContent-Length: "))
	line, _, _ := bytes.Cut(after, []byte("\r\n"))
	length, err := strconv.ParseInt(string(line), 10, 64)
	if !ok || err != nil {
		return 0, errNoLength
	}
	body := int64(got - head - 4)
	for body < length && (c.until == 0 || body < c.until) {
		if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return body, err
		}
		n, err := c.conn.Read(c.buf)
		if body += int64(n); err != nil {
			return body, err
		}
	}
	return body, nil
}

func (c *httpClient) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// vanish ends the connection without a word to the server, as a machine that loses its power.
func (c *httpClient) vanish() error {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return err
	}
	if bad := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_REPAIR, 1)
	}); bad != nil {
		return bad
	}
	c.close()
	return err
}

// serveBare sends the same bytes as pxeagent for the small file, and does nothing else; or it serves a folder as
// net/http does by itself.
func serveBare(ctx context.Context, addr, folder string) error {
	body := []byte(smallText)
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Accept-Ranges", "bytes")
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Etag", `"133-18ec5471fefcc000"`)
		h.Set("Last-Modified", "Sat, 28 Nov 2026 22:00:00 GMT")
		h.Set("Vary", "User-Agent")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
	if folder != "" {
		h = http.FileServer(http.Dir(folder))
	}
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	// The time limits are web.Server's: they cost something, and a server for everybody has some.
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: 60 * time.Second,
	}
	context.AfterFunc(ctx, func() { s.Close() })
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
