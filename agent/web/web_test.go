package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/files"
	"pxeagent/agent/guard"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
	"pxeagent/deploy/lab"
)

// watcher keeps what an Observer is called with.
type watcher struct {
	ended chan boot.Transfer
	mu    sync.Mutex
	begun int
}

func (w *watcher) Begin(*boot.Ask) { w.mu.Lock(); w.begun++; w.mu.Unlock() }

func (w *watcher) End(t *boot.Transfer) { w.ended <- *t }

// next is the next transfer that ended.
func (w *watcher) next(t testing.TB) boot.Transfer {
	t.Helper()
	select {
	case tr := <-w.ended:
		return tr
	case <-time.After(20 * time.Second):
		t.Fatal("the observer was not called when the request ended")
		return boot.Transfer{}
	}
}

// site is a server on loopback with a root folder.
type site struct {
	t    testing.TB
	root string
	url  string
	addr string
	*watcher
	log bytes.Buffer
}

// library is what an agent serves from a root folder.
func library(root, nextServer, at string) (*files.Library, error) {
	c, err := catalog.New(catalog.Config{Root: root})
	if err != nil {
		return nil, err
	}
	menus, err := menu.New(menu.Config{Base: menu.Base(netip.MustParseAddrPort(at)), Catalog: c})
	if err != nil {
		return nil, err
	}
	return files.New(files.Config{Root: root, NextServer: netip.MustParseAddr(nextServer), Menu: menus})
}

// newSite serves a library. change may be nil.
func newSite(t testing.TB, change func(*Config)) *site {
	t.Helper()
	return newSiteStalling(t, 0, change)
}

// newSiteStalling is newSite with another limit for a client that stalls; 0: the usual one.
func newSiteStalling(t testing.TB, stall time.Duration, change func(*Config)) *site {
	t.Helper()
	s := &site{t: t, root: t.TempDir(), watcher: &watcher{ended: make(chan boot.Transfer, 100)}}
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	limited := Limit(ln, Limits{Total: 1000, PerAddress: 1000, stall: stall})
	s.addr = ln.Addr().String()
	s.url = "http://" + s.addr
	lib, err := library(s.root, "127.0.0.1", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Files:    lib,
		Observer: s.watcher,
		Log:      slog.New(slog.NewTextHandler(&s.log, nil)),
		Gatherer: prometheus.NewRegistry(),
	}
	c.Guard = guard.New(c.Log)
	if change != nil {
		change(&c)
	}
	srv := Server(New(c))
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	done := make(chan error, 1)
	srv.ConnState = limited.State
	go func() { done <- srv.Serve(limited) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	})
	return s
}

func (s *site) put(name string, data []byte) {
	s.t.Helper()
	p := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// do sends one request and returns its answer with the body read. Header is name, value, name, value …
func (s *site) do(method, path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	// The transport asks for no compression and follows no redirect, as firmware.
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(body)
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

const ua = "User-Agent"

const linkHint = "leads out of the folder; mount what it leads to in its place (mount --bind), or use a relative " +
	"link " +
	"that stays in the folder"

func TestRequests(t *testing.T) {
	s := newSite(t, nil)
	s.put("http/kernel/vmlinuz", []byte("0123456789"))
	s.put("http/page.html", []byte("<script>alert(1)</script>"))
	s.put("http/bad.ipxe", []byte("\n#!ipxe\n"))
	s.put("http/a b/é.iso", []byte("iso"))
	if err := os.Symlink("/etc/passwd", filepath.Join(s.root, "http/out")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(s.root, "http/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	type observed struct {
		Class      boot.Class
		Artifact   boot.Artifact
		Outcome    boot.Outcome
		Bytes      int64
		LoopBroken bool
	}
	const efiSize = 1035264
	for _, tc := range []struct {
		method, path string
		header       []string
		status       int
		contentType  string
		length       int64
		body         string // where it is short
		want         observed
	}{
		{"GET", "/kernel/vmlinuz", nil, 200, "application/octet-stream", 10, "0123456789",
			observed{boot.Tool, boot.Kernel, boot.OK, 10, false}},
		{"HEAD", "/kernel/vmlinuz", nil, 200, "application/octet-stream", 10, "",
			observed{boot.Tool, boot.Kernel, boot.SizeProbe, 0, false}},
		{"GET", "/kernel/vmlinuz", []string{"Range", "bytes=3-5"}, 206, "application/octet-stream", 3, "345",
			observed{boot.Tool, boot.Kernel, boot.OK, 3, false}},
		{"GET", "/kernel/vmlinuz", []string{"Range", "bytes=-2"}, 206, "application/octet-stream", 2, "89",
			observed{boot.Tool, boot.Kernel, boot.OK, 2, false}},
		{"HEAD", "/kernel/vmlinuz", []string{"Range", "bytes=3-5"}, 206, "application/octet-stream", 3, "",
			observed{boot.Tool, boot.Kernel, boot.SizeProbe, 0, false}},
		{"GET", "/kernel/vmlinuz", []string{"Range", "bytes=10-"}, 416, "text/plain; charset=utf-8", -1,
			"invalid range: failed to overlap\n", observed{boot.Tool, boot.Kernel, boot.Refused, 33, false}},
		{"HEAD", "/ipxe.efi", []string{ua, "UefiHttpBoot/1.0"}, 200, "application/efi", efiSize, "",
			observed{boot.UEFI, boot.NBP, boot.SizeProbe, 0, false}},
		{"GET", "/ipxe.efi", []string{ua, "UefiHttpBoot/1.0"}, 200, "application/efi", efiSize, "",
			observed{boot.UEFI, boot.NBP, boot.OK, efiSize, false}},
		{"GET", "//EFI//IPXE.efi", []string{ua, "UefiHttpBoot/1.0"}, 200, "application/efi", efiSize, "",
			observed{boot.UEFI, boot.NBP, boot.OK, efiSize, false}},
		{"GET", "/undionly.kpxe", []string{ua, "UefiHttpBoot/1.0"}, 200, "application/octet-stream", 93955, "",
			observed{boot.UEFI, boot.NBP, boot.OK, 93955, false}},
		{"GET", "/a%20b/%C3%A9.iso", nil, 200, "application/vnd.efi-iso", 3, "iso",
			observed{boot.Tool, boot.Image, boot.OK, 3, false}},
		{"GET", "/page.html", nil, 200, "application/octet-stream", 25, "<script>alert(1)</script>",
			observed{boot.Tool, boot.Other, boot.OK, 25, false}},
		{"GET", "/healthz", nil, 200, "text/plain; charset=utf-8", 3, "ok\n",
			observed{boot.Tool, boot.Internal, boot.OK, 3, false}},
		{"HEAD", "/healthz", nil, 200, "text/plain; charset=utf-8", 3, "",
			observed{boot.Tool, boot.Internal, boot.SizeProbe, 3, false}},
		{"GET", "/readyz", nil, 200, "text/plain; charset=utf-8", 3, "ok\n",
			observed{boot.Tool, boot.Internal, boot.OK, 3, false}},
		{"GET", "/metrics", nil, 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", 0, "",
			observed{boot.Tool, boot.Internal, boot.OK, 0, false}},
		{"GET", "/nothing", nil, 404, "text/plain; charset=utf-8", 10, "not found\n",
			observed{boot.Tool, boot.NoFile, boot.NotFound, 10, false}},
		{"HEAD", "/nothing", nil, 404, "text/plain; charset=utf-8", 10, "",
			observed{boot.Tool, boot.NoFile, boot.NotFound, 10, false}},
		{"GET", "/kernel/", nil, 403, "text/plain; charset=utf-8", 8, "refused\n",
			observed{boot.Tool, boot.Kernel, boot.Refused, 8, false}},
		{"GET", "/out", nil, 403, "text/plain; charset=utf-8", 8, "refused\n",
			observed{boot.Tool, boot.Other, boot.Refused, 8, false}},
		{"GET", "/fifo", nil, 403, "text/plain; charset=utf-8", 8, "refused\n",
			observed{boot.Tool, boot.Other, boot.Refused, 8, false}},
		{"GET", "/bad.ipxe", nil, 403, "text/plain; charset=utf-8", 8, "refused\n",
			observed{boot.Tool, boot.Script, boot.Refused, 8, false}},
		{"GET", "/%2e%2e/%2e%2e/etc/passwd", nil, 403, "text/plain; charset=utf-8", 8, "refused\n",
			observed{boot.Tool, boot.Other, boot.Refused, 8, false}},
		{"GET", "/..%2fetc%2fpasswd", nil, 403, "text/plain; charset=utf-8", 8, "refused\n",
			observed{boot.Tool, boot.Other, boot.Refused, 8, false}},
		{"GET", "/%00", nil, 404, "text/plain; charset=utf-8", 10, "not found\n",
			observed{boot.Tool, boot.NoFile, boot.NotFound, 10, false}},
		{"POST", "/kernel/vmlinuz", nil, 405, "text/plain; charset=utf-8", 17, "only GET and HEAD\n"[:17],
			observed{boot.Tool, boot.NoFile, boot.Refused, 18, false}},
		{"PUT", "/metrics", nil, 405, "text/plain; charset=utf-8", 17, "only GET and HEAD\n"[:17],
			observed{boot.Tool, boot.NoFile, boot.Refused, 18, false}},
		{"DELETE", "/", nil, 405, "text/plain; charset=utf-8", 17, "only GET and HEAD\n"[:17],
			observed{boot.Tool, boot.NoFile, boot.Refused, 18, false}},
	} {
		name := tc.method + " " + tc.path + " " + strings.Join(tc.header, " ")
		resp, body := s.do(tc.method, tc.path, tc.header...)
		tr := s.next(t)
		got := observed{tr.Class, tr.Artifact, tr.Outcome, tr.Bytes, tr.LoopBroken}
		if further := slices.Contains(tc.header, "Range"); tr.Further != further {
			t.Errorf("%s: further is %v", name, !further)
		}
		if tc.status == 405 {
			tc.length, tc.body = 18, "only GET and HEAD\n"
			if resp.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: Allow: %q", name, resp.Header.Get("Allow"))
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: observed (-want +got)\n%s", name, diff)
		}
		h := resp.Header
		if resp.StatusCode != tc.status || h.Get("Content-Type") != tc.contentType ||
			tc.length >= 0 && resp.ContentLength != tc.length && tc.path != "/metrics" {
			t.Errorf(
				"%s: %s, %q, length %d; want %d, %q, %d",
				name,
				resp.Status,
				h.Get("Content-Type"),
				resp.ContentLength,
				tc.status,
				tc.contentType,
				tc.length,
			)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: browsers may guess the type", name)
		}
		if tc.body != "" && body != tc.body || tc.method == "GET" && tc.length > 0 && int64(len(body)) != tc.length {
			t.Errorf("%s: body of %d bytes %.40q, want %d, %.40q", name, len(body), body, tc.length, tc.body)
		}
		if bad := tr.Outcome != boot.OK && tr.Outcome != boot.SizeProbe; bad != (tr.Err != nil) {
			t.Errorf("%s: %s with error %v", name, tr.Outcome, tr.Err)
		}
		if tc.path == "/out" && !strings.HasSuffix(tr.Err.Error(), linkHint) {
			t.Errorf("%s: error %q, want it to end in %q", name, tr.Err, linkHint)
		}
		if tr.Proto != boot.HTTP || !tr.Client.Addr().IsLoopback() || tr.Local.String() != s.addr || tr.Start.IsZero() ||
			tr.Took <= 0 {
			t.Errorf("%s: observed %+v", name, tr)
		}
	}
	if s.log.Len() > 0 {
		t.Errorf("logged:\n%s", &s.log)
	}
}

func TestBreakerByUserAgent(t *testing.T) {
	s := newSite(t, nil)
	const stock = "iPXE/1.0.0+git-20190125.36a4c85-5.1"
	for _, name := range []string{"/ipxe.efi", "/undionly.kpxe", "/snp-arm64.efi", "/EFI/ipxe.efi"} {
		for _, method := range []string{"HEAD", "GET"} {
			resp, body := s.do(method, name, ua, stock)
			tr := s.next(t)
			if method == "GET" && !strings.HasPrefix(body, "#!ipxe\nchain -r "+s.url+"/ipxe/bootstrap.ipxe ||\n") ||
				resp.ContentLength > 512 {
				t.Errorf("%s %s: %d bytes\n%.200s", method, name, resp.ContentLength, body)
			}
			if !tr.LoopBroken || tr.Artifact != boot.Script || tr.Class != boot.IPXE ||
				!strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") ||
				resp.Header.Get("Vary") != ua {
				t.Errorf("%s %s: observed %+v, header %v", method, name, tr, resp.Header)
			}
		}
	}
	if _, body := s.do("GET", "/ipxe/bootstrap.ipxe?platform=pcbios&buildarch=i386", ua, stock); script.Validate(
		[]byte(body),
	) != nil ||
		!strings.Contains(body, "\nset base "+s.url+"\n") {
		t.Errorf("the menu is\n%s", body)
	}
	if tr := s.next(t); tr.LoopBroken || tr.Artifact != boot.Script || tr.Outcome != boot.OK {
		t.Errorf("the menu: observed %+v", tr)
	}
}

func TestConditionalRequests(t *testing.T) {
	s := newSite(t, nil)
	s.put("http/vmlinuz", []byte("0123456789"))
	for _, p := range []string{"/vmlinuz", "/ipxe.efi", "/ipxe/bootstrap.ipxe"} {
		resp, _ := s.do("GET", p)
		s.next(t)
		tag := resp.Header.Get("ETag")
		if len(tag) < 4 || tag[0] != '"' {
			t.Errorf("%s: ETag %q", p, tag)
		}
		resp, body := s.do("GET", p, "If-None-Match", tag)
		if tr := s.next(t); resp.StatusCode != 304 || body != "" || tr.Outcome != boot.OK || tr.Bytes != 0 {
			t.Errorf("%s: not modified is %s, observed %+v", p, resp.Status, tr)
		}
		resp, body = s.do("GET", p, "If-Range", tag, "Range", "bytes=0-1")
		if s.next(t); resp.StatusCode != 206 || len(body) != 2 {
			t.Errorf("%s: resuming: %s, %q", p, resp.Status, body)
		}
		resp, _ = s.do("GET", p, "If-Range", `"another"`, "Range", "bytes=0-1")
		if s.next(t); resp.StatusCode != 200 {
			t.Errorf("%s: resuming what changed: %s", p, resp.Status)
		}
	}
	resp, _ := s.do("GET", "/vmlinuz")
	s.next(t)
	before := resp.Header.Get("ETag")
	s.put("http/vmlinuz", []byte("9876543210"))
	if err := os.Chtimes(filepath.Join(s.root, "http/vmlinuz"), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if resp, body := s.do("GET", "/vmlinuz", "If-None-Match", before); resp.StatusCode != 200 || body != "9876543210" {
		t.Errorf("a changed file: %s, %q", resp.Status, body)
	}
}

func TestNetworks(t *testing.T) {
	lib, err := library("", "10.0.0.7", "10.0.0.7:80")
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{ended: make(chan boot.Transfer, 1)}
	h := New(
		Config{
			Files:    lib,
			Observer: w,
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fe80::/64")},
		},
	)
	for remote, want := range map[string]int{
		"10.0.0.9:1":            200,
		"[::ffff:10.0.0.9]:1":   200, // as a socket for both families has it
		"[fe80::1%eth0]:1":      200,
		"127.0.0.1:1":           200,
		"[::1]:1":               200,
		"10.0.1.9:1":            403,
		"[2001:db8::1]:1":       403,
		"[::ffff:10.0.1.9]:1":   403,
		"@":                     403, // not an address
		"10.0.0.9.evil.test:80": 403,
	} {
		for _, p := range []string{"/undionly.kpxe", "/healthz", "/"} {
			req := httptest.NewRequest("GET", p, nil)
			req.RemoteAddr = remote
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			tr := w.next(t)
			if rec.Code != want || (tr.Outcome == boot.Refused) != (want == 403) {
				t.Errorf("%s from %s: %d, %s; want %d", p, remote, rec.Code, tr.Outcome, want)
			}
		}
	}
}

func TestReadyAndMetrics(t *testing.T) {
	var problem error
	reg := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "things_total", Help: "Things."})
	reg.MustRegister(counter)
	counter.Inc()
	s := newSite(t, func(c *Config) { c.Ready, c.Gatherer = func() error { return problem }, reg })
	if resp, body := s.do("GET", "/readyz"); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("ready: %s %q", resp.Status, body)
	}
	problem = errors.New("TFTP is not up")
	if resp, body := s.do("GET", "/readyz"); resp.StatusCode != 503 || body != "TFTP is not up\n" {
		t.Errorf("not ready: %s %q", resp.Status, body)
	}
	s.next(t)
	if tr := s.next(t); tr.Outcome != boot.OK || tr.Artifact != boot.Internal {
		t.Errorf("not ready is an answer, observed %+v", tr)
	}
	if resp, body := s.do("GET", "/metrics"); resp.StatusCode != 200 || !strings.Contains(body, "\nthings_total 1\n") {
		t.Errorf("metrics: %s\n%s", resp.Status, body)
	}
}

func TestIndexPage(t *testing.T) {
	s := newSite(t, nil)
	resp, body := s.do("GET", "/")
	for _, want := range []string{`href="/ipxe/bootstrap.ipxe"`, `href="/snp-arm64.efi"`, `href="/metrics"`,
		`href="/readyz"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	own := strings.NewReplacer("http://www.w3.org/2000/svg", "", "http:%2F%2Fwww.w3.org%2F2000%2Fsvg", "").Replace(body)
	if strings.Contains(own, "http:") || strings.Contains(own, "https:") {
		t.Errorf("the page needs other servers:\n%s", body)
	}
}

// openFunc is a Files for what a disk does not do on command.
type openFunc func(*boot.Ask) (*files.File, error)

func (f openFunc) Open(a *boot.Ask) (*files.File, error) { return f(a) }

func TestOurOwnFailures(t *testing.T) {
	var open openFunc
	s := newSite(t, func(c *Config) { c.Files = openFunc(func(a *boot.Ask) (*files.File, error) { return open(a) }) })
	open = func(a *boot.Ask) (*files.File, error) {
		return nil, &files.NotOpened{Name: a.Name, Artifact: boot.NBP, Err: fs.ErrPermission}
	}
	if resp, body := s.do("GET", "/x"); resp.StatusCode != 500 || body != "cannot be read\n" {
		t.Errorf("no permission: %s %q", resp.Status, body)
	}
	if tr := s.next(t); tr.Outcome != boot.Failed || tr.Artifact != boot.NBP || !errors.Is(tr.Err, fs.ErrPermission) {
		t.Errorf("no permission: observed %+v", tr)
	}

	open = func(*boot.Ask) (*files.File, error) { panic("boom") }
	if _, err := http.Get(s.url + "/x"); err == nil {
		t.Error("a panic was answered as if nothing were")
	}
	if tr := s.next(t); tr.Outcome != boot.Failed {
		t.Errorf("panic: observed %+v", tr)
	}
	if !strings.Contains(s.log.String(), "boom") || !strings.Contains(s.log.String(), "web_test.go") {
		t.Errorf("the panic's place is not in the log:\n%s", &s.log)
	}

	// A file that gets shorter while it is sent.
	open = func(*boot.Ask) (*files.File, error) {
		return &files.File{Size: 1 << 20, Content: &shrinking{Reader: bytes.NewReader(make([]byte, 1<<20))}}, nil
	}
	resp, err := http.Get(s.url + "/x")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err == nil || n >= 1<<20 {
		t.Errorf("half a file was taken for a whole one: %d bytes, %v", n, err)
	}
	if tr := s.next(t); tr.Outcome != boot.Failed || !errors.Is(tr.Err, io.ErrUnexpectedEOF) || tr.Bytes != 1000 {
		t.Errorf("shrinking: observed %+v", tr)
	}
}

// shrinking has 1000 bytes to read, whatever its size was said to be.
type shrinking struct {
	*bytes.Reader
	read int
}

func (s *shrinking) Read(p []byte) (int, error) {
	n, _ := s.Reader.Read(p[:min(len(p), 1000-s.read)])
	s.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestClientThatGoesAway(t *testing.T) {
	s := newSite(t, nil)
	s.put("http/big.iso", random(32<<20))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/big.iso", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	if tr := s.next(t); tr.Outcome != boot.Aborted || tr.Artifact != boot.Image || tr.Err == nil || tr.Bytes < 1000 ||
		tr.Bytes >= 32<<20 {
		t.Errorf("observed %+v", tr)
	}
}

// recorder is a connection that notes how it was given a file.
type recorder struct {
	http.ResponseWriter
	sources []string
}

func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	l, ok := src.(*io.LimitedReader)
	if !ok {
		r.sources = append(r.sources, fmt.Sprintf("%T", src))
	} else {
		r.sources = append(r.sources, fmt.Sprintf("%T, at most %d", l.R, l.N))
	}
	return io.Copy(io.Discard, src)
}

func TestKernelCopiesFiles(t *testing.T) {
	s := newSite(t, nil)
	s.put("http/big.iso", make([]byte, 1<<20+tail))
	lib, err := library(s.root, "127.0.0.1", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{ResponseWriter: httptest.NewRecorder()}
	New(Config{Files: lib, Observer: s.watcher}).ServeHTTP(rec, httptest.NewRequest("GET", "/big.iso", nil))
	// sendfile(2) is used for a file behind one LimitedReader and for nothing else.
	want := []string{
		"*os.File, at most 1048576",
	} // and the tail, which was read before it was looked whether the file is the same
	if diff := cmp.Diff(want, rec.sources); diff != "" {
		t.Error(diff)
	}
	if tr := s.next(t); tr.Bytes != 1<<20+tail || tr.Outcome != boot.OK {
		t.Errorf("observed %+v", tr)
	}
}

// TestCurl asks as a person or a script would, with a program that is not ours.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		lab.Missing(t, "curl")
	}
	s := newSite(t, nil)
	data := random(3 << 20)
	s.put("http/images/disk.img", data)
	out := filepath.Join(t.TempDir(), "out")
	run := func(args ...string) string {
		t.Helper()
		b, err := exec.Command(curl, append([]string{"--silent", "--show-error", "--fail", "--max-time", "20"}, args...)...).
			CombinedOutput()
		if err != nil {
			t.Errorf("curl %v: %v\n%s", args, err, b)
		}
		return string(b)
	}
	same := func(what string) {
		t.Helper()
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v, not the %d that were served", what, len(got), err, len(data))
		}
	}
	run("-o", out, s.url+"/images/disk.img")
	same("whole")
	if tr := s.next(t); tr.Outcome != boot.OK || tr.Class != boot.Tool || tr.Bytes != int64(len(data)) {
		t.Errorf("observed %+v", tr)
	}
	// Half of it, then the rest.
	if err := os.Truncate(out, 1<<20+17); err != nil {
		t.Fatal(err)
	}
	run("--continue-at", "-", "-o", out, s.url+"/images/disk.img")
	same("resumed")
	if tr := s.next(t); tr.Bytes != int64(len(data))-(1<<20+17) {
		t.Errorf("resumed: observed %d bytes", tr.Bytes)
	}
	if got := run("--range", "100-199", s.url+"/images/disk.img"); got != string(data[100:200]) {
		t.Error("a range is not what lies there")
	}
	if got := run("--head", s.url+"/images/disk.img"); !strings.Contains(
		got,
		"Content-Length: "+strconv.Itoa(len(data))+"\r\n",
	) ||
		!strings.Contains(got, "Accept-Ranges: bytes\r\n") {
		t.Errorf("HEAD:\n%s", got)
	}
	// Two on one connection, by HTTP/1.0 and with paths as they are.
	if got := run("-o", out, s.url+"/images/disk.img", "-o", out, s.url+"/images/disk.img", "--write-out",
		"%{num_connects} "); !strings.HasPrefix(
		got,
		"1 0 ",
	) {
		t.Errorf("connections made: %q", got)
	}
	run("--http1.0", "-o", out, s.url+"/images/disk.img")
	same("HTTP/1.0")
	if got := run("--path-as-is", "-o", os.DevNull, "--write-out", "%{http_code} %{redirect_url}",
		s.url+"//x/..//x/./undionly.kpxe"); got != "200 " {
		t.Errorf("a crooked path: %q", got)
	}
}

func TestConcurrentDownloads(t *testing.T) {
	s := newSite(t, nil)
	data := random(1 << 20)
	s.put("http/a.img", data)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := http.Get(s.url + "/a.img")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	for range 20 {
		if tr := s.next(t); tr.Outcome != boot.OK || tr.Bytes != 1<<20 {
			t.Errorf("observed %+v", tr)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun != 20 {
		t.Errorf("%d began, want 20", s.begun)
	}
}

func benchmark(b *testing.B, path string, size int64) {
	s := newSite(b, func(c *Config) { c.Observer = nil })
	s.put("http/big.img", make([]byte, 64<<20))
	s.put("http/ipxe/bootstrap.ipxe", []byte("#!ipxe\n"+strings.Repeat("#", 300)))
	b.SetBytes(size)
	client := &http.Client{
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 20, ReadBufferSize: 256 << 10},
	}
	b.SetParallelism(2)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Get(s.url + path)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || n != size {
				b.Errorf("%d bytes, %v", n, err)
			}
		}
	})
}

func BenchmarkScript(b *testing.B)   { benchmark(b, "/ipxe/bootstrap.ipxe", 307) }
func BenchmarkFile64MB(b *testing.B) { benchmark(b, "/big.img", 64<<20) }
