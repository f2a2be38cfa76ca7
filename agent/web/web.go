// Package web is the HTTP side: boot files by GET, HEAD and Range, the metrics, the
// state of health, and a page that says what is served.
package web

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pxeagent/agent/boot"
	"pxeagent/agent/files"
	"pxeagent/agent/guard"
)

// Files is where files come from.
type Files interface {
	// Open opens what a request is to be answered with. Its errors are those of files.Library.Open.
	Open(*boot.Ask) (*files.File, error)
}

// Config is what New needs. Only Files must be set.
type Config struct {
	Files    Files
	Observer boot.Observer
	Gatherer prometheus.Gatherer // for /metrics; nil: there is none
	Boots    *BootsAPI           // nil: there is none
	Live     Live                // for the page and /api/v1/status; nil: the page has nothing to show
	// ShowMenu is the menu as a machine will see it, for /api/v1/menu; nil: there is none.
	ShowMenu func(boot.Facts, netip.Addr) (Shown, error)
	Actions  Actions // nil: nothing can be done
	Gate     *Gate   // who may act; nil: nobody
	// Documents are below ProvisionPath; nil: there are none.
	Documents Documents
	// Ready says for /readyz why the agent cannot serve now; nil: it can, always.
	Ready func() error
	// Networks are answered, and others get 403; none: everyone is answered. This machine always is, so
	// that a monitor on it can ask /healthz.
	Networks []netip.Prefix
	Log      *slog.Logger // nil: no log
	Guard    *guard.Guard // hears of requests that panic; nil: nobody does
}

// Server is an http.Server for machines that are slow, stop in the middle, or mean harm. It has no limit for a
// whole answer, since an image may take hours: that a client stalls is seen by the connections of a Listener.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second, // no request here has a body worth waiting for
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}

type server struct {
	Config
	internal *http.ServeMux
	tops     map[string]bool // first folders of the paths that internal has
}

// The values of headers that all files have.
var (
	nosniff      = []string{"nosniff"}
	noCache      = []string{"no-cache"}
	userAgent    = []string{"User-Agent"}
	acceptRanges = []string{"bytes"}
)

// New makes the handler of everything. Files are looked up by the path as it was sent. What is ours is looked up by
// the cleaned path, so that http.ServeMux never answers with a redirect, which firmware does not follow.
func New(c Config) http.Handler {
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	s := &server{Config: c, internal: http.NewServeMux(), tops: map[string]bool{}}
	s.handle("GET /{$}", s.index)
	s.handle("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	s.handle("GET /readyz", s.readyz)
	s.api()
	if c.Boots != nil {
		s.handle(BootsPath, c.Boots.ServeHTTP)
		s.handle(BootsPath+"/", c.Boots.ServeHTTP)
		s.handle(EventsPath, c.Boots.ServeHTTP)
	}
	if c.Gatherer != nil {
		s.handle("GET /metrics", promhttp.HandlerFor(c.Gatherer, promhttp.HandlerOpts{
			ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelError),
			// Exemplars, which name boots, can be said in that format only, and native histograms in protobuf.
			EnableOpenMetrics: true}).ServeHTTP)
	}
	return s
}

// handle has h answer what fits a pattern of http.ServeMux.
func (s *server) handle(pattern string, h http.HandlerFunc) {
	s.internal.HandleFunc(pattern, h)
	s.tops[top(pattern[strings.IndexByte(pattern, '/'):])] = true
}

// own is the handler of what is ours, with its pattern; "" where a path is not. Most are files', and cost no search.
func (s *server) own(r *http.Request) (http.Handler, string) {
	if !s.tops[top(r.URL.Path)] {
		return nil, ""
	}
	return s.internal.Handler(r)
}

// top is the first folder of a path, or its file; "" for the path "/".
func top(p string) string {
	p, _, _ = strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return strings.TrimSuffix(p, "{$}")
}

type nobody struct{}

func (nobody) Begin(*boot.Ask)    {}
func (nobody) End(*boot.Transfer) {}

// ServeHTTP answers one request and tells the Observer.
func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	t := &boot.Transfer{Ask: ask(r), Artifact: boot.NoFile, Outcome: boot.OK, Start: time.Now()}
	s.Observer.Begin(&t.Ask)
	w := newWriter(rw)
	ended := false
	end := func() {
		if !ended {
			ended, t.Bytes, t.Took = true, w.written, time.Since(t.Start)
			s.Observer.End(t)
		}
	}
	defer func() {
		p := recover()
		if p != nil {
			t.Outcome, t.Err = boot.Failed, errors.New("panic while answering")
			if p != http.ErrAbortHandler {
				s.Guard.Caught(guard.HTTP, p)
			}
		}
		end()
		if p != nil {
			// Half an answer must not look like a whole one: the connection is cut.
			panic(http.ErrAbortHandler)
		}
	}()
	w.Header()["X-Content-Type-Options"] = nosniff
	c := cleaned(r)
	switch {
	case !s.allowed(t.Client.Addr()):
		t.Outcome, t.Err = boot.Refused, errors.New("not in serve.networks")
		plain(w, http.StatusForbidden, "this network is not served")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !s.takes(c) && !form(r):
		t.Outcome, t.Err = boot.Refused, errors.New("method not allowed")
		w.Header().Set("Allow", "GET, HEAD")
		plain(w, http.StatusMethodNotAllowed, "only GET and HEAD")
	default:
		if h, pattern := s.own(c); pattern != "" {
			t.Artifact = boot.Internal
			if pattern == EventsPath {
				end() // a stream that lasts for hours is not a request in flight
			}
			h.ServeHTTP(w, c)
		} else if name, ok := s.document(c); ok {
			s.provision(w, r, name, t)
		} else if err := tell(&t.Ask, r); err != nil {
			t.Outcome, t.Err = boot.Refused, err
			plain(w, http.StatusForbidden, "refused")
		} else {
			s.file(w, r, t)
		}
		w.judge(r, t)
	}
}

// cleaned is the request with its path put right as the names of files are, and as http.ServeMux wants it: one slash at
// a time, no "." and no "..", the API and the documents' folder in lower case.
func cleaned(r *http.Request) *http.Request {
	name, quirks := files.Clean(r.URL.Path, boot.HTTP)
	if name == "" {
		name = r.URL.Path
	}
	p := r.URL.Path
	ours := under(p, apiPath) || under(p, ProvisionPath)
	if len(quirks) == 0 && p == "/"+name && !ours {
		return r // as nearly all are
	}
	p = path.Clean("/" + name)
	switch {
	case under(p, apiPath):
		p = strings.ToLower(p)
	case under(p, ProvisionPath):
		p = ProvisionPath + p[len(ProvisionPath):]
	case strings.HasSuffix(r.URL.Path, "/") && p != "/":
		p += "/"
	}
	if p == r.URL.Path {
		return r
	}
	c, u := *r, *r.URL
	u.Path, u.RawPath = p, ""
	c.URL = &u
	return &c
}

// apiPath is where the API is.
const apiPath = "/api/"

// under reports whether p is below that folder, in letters of whatever case.
func under(p, folder string) bool {
	return len(p) > len(folder) && strings.EqualFold(p[:len(folder)], folder)
}

// ask is the request in the words of package boot. An address that cannot be read stays zero.
func ask(r *http.Request) boot.Ask {
	a := boot.Ask{
		Proto: boot.HTTP,
		Name:  r.URL.Path,
		Class: boot.ClassifyHTTP(field(r, "User-Agent")),
		Facts: boot.NameFacts(r.URL.Path),
		Check: field(r, boot.CheckHeader) != "",
	}
	a.Client, _ = netip.ParseAddrPort(r.RemoteAddr)
	a.Client = netip.AddrPortFrom(a.Client.Addr().Unmap(), a.Client.Port())
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		addr := local.AddrPort()
		a.Local = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	return a
}

// field is the first value of a field of the header, whose name is written as net/http has it.
func field(r *http.Request, name string) string {
	if values := r.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (s *server) allowed(a netip.Addr) bool {
	if len(s.Networks) == 0 || a.IsLoopback() {
		return true
	}
	for _, n := range s.Networks {
		if n.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// file answers with a file of the library.
func (s *server) file(w *writer, r *http.Request, t *boot.Transfer) {
	f, err := s.Files.Open(&t.Ask)
	var no *files.NotOpened
	if errors.As(err, &no) {
		t.Artifact, t.Quirks = no.Artifact, no.Quirks
	}
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		t.Outcome, t.Err = boot.NotFound, err
		plain(w, http.StatusNotFound, "not found")
		return
	case errors.Is(err, files.ErrRefused):
		t.Outcome, t.Err = boot.Refused, err
		plain(w, http.StatusForbidden, "refused")
		return
	default: // a file that we may not read among them: that is for the operator to mend
		t.Outcome, t.Err = boot.Failed, err
		plain(w, http.StatusInternalServerError, "cannot be read")
		return
	}
	defer f.Close()
	t.Artifact, t.Given, t.LoopBroken, t.Quirks = f.Artifact, f.Given, f.LoopBroken, f.Quirks
	h := w.Header()
	if f.Kept != nil && whole(r) {
		h["Content-Type"], h["Content-Length"] = f.Kept.ContentType, f.Kept.Length
		h["Etag"], h["Last-Modified"], h["Accept-Ranges"] = f.Kept.ETag, f.Kept.LastModified, acceptRanges
		h["Cache-Control"], h["Vary"] = noCache, userAgent
		_, _ = w.Write(f.Kept.Data) // that it was not read is seen by judge
		return
	}
	h.Set("Content-Type", f.ContentType)
	h.Set("ETag", f.ETag)
	// What is at a name depends on the client and on the disk: caches must ask again.
	h["Cache-Control"] = noCache
	h["Vary"] = userAgent
	ranges := field(r, "Range")
	t.Further = ranges != "" && !strings.HasPrefix(ranges, "bytes=0-")
	w.changed = f.Changed
	http.ServeContent(w, r, "", f.ModTime, f.Reader())
}

// whole reports whether a request is for a whole file, whatever the client has of it.
func whole(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	for name := range r.Header {
		switch name {
		case "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range":
			return false
		}
	}
	return true
}

func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.Ready(); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	plain(w, http.StatusOK, "ok")
}

// plain answers with a line of text.
func plain(w http.ResponseWriter, status int, line string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(line + "\n")) // that it was not read is seen by judge
}
