// Package imagetest is a stand-in for the servers that publish images: it holds files, and can be made to behave as
// real ones do on a bad day. Only tests import it.
package imagetest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mirror serves files over HTTP on loopback.
type Mirror struct {
	URL string

	mu      sync.Mutex
	ended   *sync.Cond
	serving int
	files   map[string]*File
	asked   []Request
}

// File is a file and how it is served.
type File struct {
	Body []byte
	ETag string // quoted; "": made of the body
	// NoValidator: it has neither ETag nor Last-Modified.
	NoValidator bool
	NoRange     bool // the whole of it is sent whatever is asked for
	Unsized     bool // no Content-Length is sent
	// Cuts are the numbers of bytes after which the connection is cut, for one answer after the other; after the last,
	// nothing is cut.
	Cuts []int
	// Fails are statuses that the first answers have.
	Fails []int
	// Stall is after how many bytes nothing more comes, and the connection stays; 0: it does not.
	Stall    int
	Redirect string // where it is sent to
	// Every, where set, is the time between one byte and the next.
	Every time.Duration
	// Sent, where set, is called with the number of bytes that went out so far, and may wait.
	Sent func(int)
}

// Request is what somebody asked for.
type Request struct {
	Path, Range, IfRange, Host string
	Status                     int
	Bytes                      int // of the body that were sent
}

// NewHandler is a mirror without a server of its own.
func NewHandler() *Mirror {
	m := &Mirror{files: map[string]*File{}}
	m.ended = sync.NewCond(&m.mu)
	return m
}

// New starts a mirror that ends with the test.
func New(t testing.TB) *Mirror {
	m := NewHandler()
	srv := httptest.NewServer(m)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	m.URL = srv.URL
	return m
}

// Put publishes a file, or another in its place.
func (m *Mirror) Put(path string, body []byte) *File {
	return m.PutFile(path, &File{Body: body})
}

// PutFile publishes a file that behaves in its own way.
func (m *Mirror) PutFile(path string, f *File) *File {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files["/"+strings.TrimPrefix(path, "/")] = f
	return f
}

// Remove takes a file away.
func (m *Mirror) Remove(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, "/"+strings.TrimPrefix(path, "/"))
}

// Asked are the requests for a path so far; "": all. It waits until none is under way.
func (m *Mirror) Asked(path string) []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.serving > 0 {
		m.ended.Wait()
	}
	var out []Request
	for _, r := range m.asked {
		if path == "" || r.Path == "/"+strings.TrimPrefix(path, "/") {
			out = append(out, r)
		}
	}
	return out
}

// ServeHTTP implements http.Handler. Asked as a proxy it serves the path, whatever the host.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.serving++
	f := m.files[r.URL.Path]
	var answer File
	if f != nil {
		answer = *f
		if len(f.Fails) > 0 {
			f.Fails = f.Fails[1:]
		} else if len(f.Cuts) > 0 {
			f.Cuts = f.Cuts[1:]
		}
	}
	m.mu.Unlock()
	out := &counted{ResponseWriter: w, status: http.StatusOK}
	asked := Request{Path: r.URL.Path, Range: r.Header.Get("Range"), IfRange: r.Header.Get("If-Range"), Host: r.Host}
	defer func() {
		m.mu.Lock()
		asked.Status, asked.Bytes = out.status, out.bytes
		m.asked = append(m.asked, asked)
		m.serving--
		m.ended.Broadcast()
		m.mu.Unlock()
		if err := recover(); err != nil {
			panic(err)
		}
	}()
	if f == nil {
		http.NotFound(out, r)
		return
	}
	answer.serve(out, r)
}

func (f File) serve(w *counted, r *http.Request) {
	switch {
	case len(f.Fails) > 0:
		http.Error(w, "not now", f.Fails[0])
		return
	case f.Redirect != "":
		http.Redirect(w, r, f.Redirect, http.StatusFound)
		return
	}
	tag := f.ETag
	if tag == "" {
		tag = fmt.Sprintf(`"%d-%x"`, len(f.Body), bytes.Count(f.Body, []byte{1}))
	}
	if !f.NoValidator {
		w.Header().Set("ETag", tag)
	}
	if f.NoRange || f.NoValidator || r.Header.Get("If-Range") != "" && r.Header.Get("If-Range") != tag {
		r.Header.Del("Range")
	}
	if len(f.Cuts) == 0 && f.Stall == 0 && !f.Unsized && f.Sent == nil && f.Every == 0 {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.Body))
		return
	}
	f.slowly(w, r)
}

// slowly sends in pieces, and cuts off or stalls where configured.
func (f File) slowly(w *counted, r *http.Request) {
	body, start := f.Body, 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start); err == nil && start < len(body) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(body)-1, len(body)))
		body = body[start:]
	}
	if !f.Unsized {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	if start > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	for len(body) > 0 {
		n := min(len(body), 16<<10)
		if len(f.Cuts) > 0 {
			n = min(n, f.Cuts[0]-w.bytes)
		}
		if f.Stall > 0 {
			n = min(n, f.Stall-w.bytes)
		}
		if n <= 0 {
			break
		}
		if f.Every > 0 {
			n = 1
			select {
			case <-time.After(f.Every):
			case <-r.Context().Done():
				return
			}
		}
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		body = body[n:]
		http.NewResponseController(w.ResponseWriter).Flush()
		if f.Sent != nil {
			f.Sent(w.bytes)
		}
	}
	if len(body) > 0 && f.Stall > 0 {
		<-r.Context().Done()
	}
	if len(body) > 0 {
		panic(http.ErrAbortHandler)
	}
}

// counted counts what is sent.
type counted struct {
	http.ResponseWriter
	status, bytes int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += n
	return n, err
}
