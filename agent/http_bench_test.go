package agent_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent"
)

// BenchmarkSmallFile is what a request for a small file costs, with all that an agent does about it, beside a bare
// handler that sends the same bytes from memory, and net/http's own file server. The client is a part of each.
func BenchmarkSmallFile(b *testing.B) {
	const size = 307
	text := strings.Repeat("x", size)
	r := start(b, func(c *agent.Config) { c.Log = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	path := filepath.Join(r.root, "http", "f.cfg")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, value := range map[string]string{
			"Accept-Ranges": "bytes", "Cache-Control": "no-cache", "Content-Length": strconv.Itoa(size),
			"Content-Type": "text/plain; charset=utf-8", "Etag": `"133-de0b6b3a7640000"`,
			"Last-Modified": "Sun, 09 Sep 2001 01:46:40 GMT", "Vary": "User-Agent", "X-Content-Type-Options": "nosniff",
		} {
			h.Set(name, value)
		}
		_, _ = w.Write([]byte(text))
	}))
	b.Cleanup(bare.Close)
	files := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(r.root, "http"))))
	b.Cleanup(files.Close)
	for _, s := range []struct{ name, addr string }{
		{"bare", bare.Listener.Addr().String()}, {"FileServer", files.Listener.Addr().String()}, {"agent", r.base.Host},
	} {
		b.Run(s.name, func(b *testing.B) {
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request := []byte("GET /f.cfg HTTP/1.1\r\nHost: " + s.addr + "\r\nUser-Agent: iPXE/1.21.1\r\n\r\n")
			answer := make([]byte, 4096)
			began := used(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				n := 0
				for !bytes.HasSuffix(answer[:n], []byte(text)) {
					got, err := conn.Read(answer[n:])
					if err != nil {
						b.Fatal(err)
					}
					n += got
				}
			}
			b.ReportMetric(float64(used(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// used is the processor time of this process.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
