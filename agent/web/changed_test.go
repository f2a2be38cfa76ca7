package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/boot"
	"pxeagent/agent/files"
)

// A file that is written to while it is sent is not sent as if it were complete: its last bytes never come. A file that
// another one replaces is sent to its old end.
func TestFileThatChangesWhileItIsSent(t *testing.T) {
	t.Parallel()
	const size = 64 << 20 // more than the sockets' buffers have room for
	old := strings.Repeat("old.", size/4)
	rewrite := func(t *testing.T, path string, data []byte, flag int) {
		f, err := os.OpenFile(path, os.O_WRONLY|flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		change  func(t *testing.T, path string)
		ranges  string
		outcome boot.Outcome
		want    string
	}{
		"rewritten in place": {func(t *testing.T, p string) {
			rewrite(t, p, []byte(strings.Repeat("new.", size/4)), 0)
		}, "", boot.Failed, ""},
		"rewritten, and now longer": {func(t *testing.T, p string) {
			rewrite(t, p, []byte("more"), os.O_APPEND)
		}, "", boot.Failed, ""},
		"truncated": {func(t *testing.T, p string) {
			rewrite(t, p, []byte("new."), os.O_TRUNC)
		}, "", boot.Failed, ""},
		"a range of it": {func(t *testing.T, p string) {
			rewrite(t, p, []byte("new."), 0)
		}, "bytes=4-", boot.Failed, ""},
		"several ranges of it": {func(t *testing.T, p string) {
			rewrite(t, p, []byte("new."), 0)
		}, "bytes=4-40000000,0-20000000", boot.Failed, ""},
		"replaced by rename":          {replace, "", boot.OK, old},
		"removed":                     {func(t *testing.T, p string) { remove(t, p) }, "", boot.OK, old},
		"left alone":                  {func(*testing.T, string) {}, "", boot.OK, old},
		"a range of a renamed-over":   {replace, "bytes=4-", boot.OK, old[4:]},
		"only read by others as well": {func(t *testing.T, p string) { read(t, p) }, "", boot.OK, old},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil)
			s.put("http/big.iso", []byte(old))
			req, err := http.NewRequest(http.MethodGet, s.url+"/big.iso", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tc.ranges != "" {
				req.Header.Set("Range", tc.ranges)
			}
			resp, err := http.DefaultClient.Do(req) // the header has come, and little of the rest
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			tc.change(t, filepath.Join(s.root, "http/big.iso"))
			body, err := io.ReadAll(resp.Body)
			tr := s.next(t)
			if tr.Outcome != tc.outcome || tc.outcome == boot.Failed != (tr.Err != nil) {
				t.Errorf("observed %s, %v; want %s", tr.Outcome, tr.Err, tc.outcome)
			}
			if tc.outcome == boot.OK {
				if err != nil || string(body) != tc.want {
					t.Errorf("%d bytes came, %v; want the %d old ones", len(body), err, len(tc.want))
				}
				return
			}
			if err == nil || int64(len(body)) >= resp.ContentLength {
				t.Errorf("a mixture was taken for a whole file: %d bytes of %d, %v", len(body), resp.ContentLength, err)
			}
			if name != "truncated" && !errors.Is(tr.Err, errChanged) {
				t.Errorf("the log would say %v", tr.Err)
			}
		})
	}
}

// A small file is sent in one piece, after it was seen that it is the same.
func TestSmallFileThatChanges(t *testing.T) {
	s := newSite(t, func(c *Config) {
		lib := c.Files
		c.Files = openFunc(func(a *boot.Ask) (*files.File, error) {
			f, err := lib.Open(a)
			if err == nil {
				err = os.WriteFile(f.Content.(*os.File).Name(), []byte("longer"), 0o644) // right after it was opened
			}
			return f, err
		})
	})
	s.put("http/a.cfg", []byte("short"))
	resp, err := http.Get(s.url + "/a.cfg")
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Errorf("%q came as if it were the file", body)
		}
	}
	if tr := s.next(t); tr.Outcome != boot.Failed || !errors.Is(tr.Err, errChanged) || tr.Bytes != 0 {
		t.Errorf("observed %+v", tr)
	}
}

func replace(t *testing.T, path string) {
	if err := os.WriteFile(path+".tmp", []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) {
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
}

// The second answer with a small file comes from memory. No client sees a difference, and what is conditional stays so.
func TestAnswerFromMemoryIsTheSame(t *testing.T) {
	s := newSite(t, nil)
	s.put("http/f.cfg", []byte("0123456789"))
	if err := os.Chtimes(filepath.Join(s.root, "http/f.cfg"), time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	first, _ := s.do("GET", "/f.cfg")
	s.next(t)
	tag, date := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if date != "Sun, 09 Sep 2001 01:46:40 GMT" {
		t.Errorf("Last-Modified %q", date)
	}
	first.Header.Del("Date")
	for _, tc := range []struct {
		method string
		header []string
		status int
		body   string
		bytes  int64
	}{
		{"GET", nil, 200, "0123456789", 10},
		{"HEAD", nil, 200, "", 0},
		{"GET", []string{"Range", "bytes=2-4"}, 206, "234", 3},
		{"GET", []string{"Range", "bytes=20-"}, 416, "", 0},
		{"GET", []string{"If-None-Match", tag}, 304, "", 0},
		{"GET", []string{"If-Modified-Since", date}, 304, "", 0},
		{"GET", []string{"If-Match", `"another"`}, 412, "", 0},
		{"GET", []string{"If-Unmodified-Since", "Sun, 09 Sep 2001 01:46:39 GMT"}, 412, "", 0},
		{"GET", []string{"If-Range", tag, "Range", "bytes=0-1"}, 206, "01", 2},
		{"GET", []string{"If-Range", `"another"`, "Range", "bytes=0-1"}, 200, "0123456789", 10},
	} {
		resp, body := s.do(tc.method, "/f.cfg", tc.header...)
		tr := s.next(t)
		if tc.status == 416 {
			body, tr.Bytes = "", 0 // it says why
		}
		if resp.StatusCode != tc.status || body != tc.body || tr.Bytes != tc.bytes {
			t.Errorf("%s %v: %s, %q, observed %+v", tc.method, tc.header, resp.Status, body, tr)
		}
		if resp.Header.Del("Date"); tc.status == 200 {
			if diff := cmp.Diff(first.Header, resp.Header); diff != "" {
				t.Errorf("%s %v: header %s", tc.method, tc.header, diff)
			}
		}
	}
}
