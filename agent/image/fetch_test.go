package image

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"pxeagent/agent/image/imagetest"
)

// noise is bytes that no accident makes twice.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	out := make([]byte, n)
	r.Read(out)
	return out
}

func anyRoom(int64) error { return nil }

// fetched fetches a file and returns its bytes.
func (b *bench) fetched(path string) ([]byte, error) {
	b.t.Helper()
	p, _, err := b.fetch.file(context.Background(), b.mirror.URL+"/"+path, path, anyRoom)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(p.path)
	if err != nil {
		b.t.Fatal(err)
	}
	return text, nil
}

func TestDownloadGoesOn(t *testing.T) {
	body := noise(200_000)
	for _, c := range []struct {
		name   string
		file   imagetest.File
		ranges []string // of the requests
		sent   int      // bytes in all
	}{
		{"nothing happens", imagetest.File{}, []string{""}, 200_000},
		{"cut once", imagetest.File{Cuts: []int{70_000}}, []string{"", "bytes=70000-"}, 200_000},
		{"cut twice", imagetest.File{Cuts: []int{70_000, 30_000}}, []string{"", "bytes=70000-", "bytes=100000-"}, 200_000},
		{"cut before the first byte", imagetest.File{Cuts: []int{0}}, []string{"", ""}, 200_000},
		{"the server knows no ranges", imagetest.File{Cuts: []int{70_000}, NoRange: true}, []string{"", "bytes=70000-"},
			270_000},
		{"nothing says that it is the same file", imagetest.File{Cuts: []int{70_000}, NoValidator: true}, []string{"", ""},
			270_000},
		{"a weak validator does not say it either", imagetest.File{Cuts: []int{70_000}, ETag: `W/"x"`}, []string{"", ""},
			270_000},
		{"without a length", imagetest.File{Cuts: []int{70_000}, Unsized: true}, []string{"", "bytes=70000-"}, 200_000},
		{"the server stops sending", imagetest.File{Stall: 150_000}, []string{"", "bytes=150000-"}, 200_000},
		{"the server is busy at first", imagetest.File{Fails: []int{503, 429, 500}}, []string{"", "", "", ""}, 200_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.file.Body = body
			b.mirror.PutFile("f", &c.file)
			got, err := b.fetched("f")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, body) {
				t.Errorf("%d bytes came, and not those that were published", len(got))
			}
			var ranges []string
			sent := 0
			for _, r := range b.mirror.Asked("f") {
				ranges = append(ranges, r.Range)
				if r.Status < 400 {
					sent += r.Bytes
				}
			}
			if fmt.Sprint(ranges) != fmt.Sprint(c.ranges) || sent != c.sent {
				t.Errorf("asked for %q, want %q; %d bytes were sent, want %d", ranges, c.ranges, sent, c.sent)
			}
		})
	}
}

func TestDownloadGoesOnInTheNextRun(t *testing.T) {
	body, other := noise(200_000), append(noise(150_000), 1)
	always := []int{60_000, 0, 0, 0, 0}
	for _, c := range []struct {
		name   string
		change func(*bench)
		want   []byte
		last   string // Range of the last request
		sent   int    // by the second run
	}{
		{"as it was", func(*bench) {}, body, "bytes=60000-", 140_000},
		{"the file has changed", func(b *bench) { b.mirror.Put("f", other) }, other, "bytes=60000-", len(other)},
		{"the file is shorter than what came", func(b *bench) {
			b.mirror.Put("f", other[:10])
		}, other[:10], "bytes=60000-", 10},
		{"the note is gone", func(b *bench) {
			for _, name := range b.partialNames() {
				if strings.HasSuffix(name, ".json") {
					os.Remove(b.own(partialDir) + "/" + name)
				}
			}
		}, body, "", 200_000},
		{"all had come", func(b *bench) {
			for _, name := range b.partialNames() {
				if strings.HasSuffix(name, ".part") {
					if err := os.WriteFile(b.own(partialDir)+"/"+name, body, 0o600); err != nil {
						b.t.Fatal(err)
					}
				}
			}
		}, body, "bytes=200000-", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.mirror.PutFile("f", &imagetest.File{Body: body, Cuts: always})
			if _, err := b.fetched("f"); !errors.Is(err, ErrDownload) || !strings.Contains(err.Error(), "cut") {
				t.Fatalf("the first run: %v", err)
			}
			b.mirror.Put("f", body)
			c.change(b)
			before := len(b.mirror.Asked("f"))
			b.open()
			got, err := b.fetched("f")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, c.want) {
				t.Errorf("%d bytes came, and not those that are published", len(got))
			}
			asked := b.mirror.Asked("f")[before:]
			sent := 0
			for _, r := range asked {
				if r.Status < 400 {
					sent += r.Bytes
				}
			}
			if asked[0].Range != c.last || sent != c.sent {
				t.Errorf("asked for %q, want %q; %d bytes were sent, want %d", asked[0].Range, c.last, sent, c.sent)
			}
		})
	}
}

func (b *bench) partialNames() []string {
	b.t.Helper()
	entries, err := os.ReadDir(b.own(partialDir))
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// A download that was put together from two files that call themselves the same is fetched once more, in full.
func TestMixedDownloadIsFetchedAgain(t *testing.T) {
	b := newBench(t)
	archive := imagetest.SmartOS(t, stamp)
	path := stamp + "/platform-" + stamp + ".tgz"
	b.mirror.PublishOldSmartOS(t, stamp)
	b.mirror.PutFile(
		path,
		&imagetest.File{Body: bytes.Repeat([]byte{2}, len(archive)), ETag: `"same"`, Cuts: []int{100, 0, 0, 0, 0}},
	)
	b.fails(Order{Recipe: "smartos", Version: stamp}, ErrDownload, "cut")
	b.mirror.PutFile(path, &imagetest.File{Body: archive, ETag: `"same"`})
	b.add(Order{Recipe: "smartos", Version: stamp})
	if !b.said("fetching all of it again") {
		t.Errorf("said:\n%s", strings.Join(b.steps, "\n"))
	}
}

func TestDownloadsThatFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		file  imagetest.File
		cause error
		text  string
		asked int
	}{
		{"not there", imagetest.File{Fails: []int{404, 404}}, ErrNotFound, "answers 404", 1},
		{"forbidden", imagetest.File{Fails: []int{403, 403}}, ErrDownload, "answers 403 Forbidden", 1},
		{"broken for good", imagetest.File{Fails: []int{500, 500, 500, 500, 500, 500}}, ErrDownload,
			"500 Internal Server Error (after 5 tries)", 5},
		{"always cut at the same place", imagetest.File{Body: noise(100_000), Cuts: []int{500, 0, 0, 0, 0, 0}}, ErrDownload,
			"the connection was cut (after 5 tries)", 5},
		{"it stops, and does not go on", imagetest.File{Body: noise(100), NoRange: true, Stall: 50}, ErrDownload,
			"nothing came for 200ms (after 5 tries)", 5},
		{"a redirect to itself", imagetest.File{Redirect: "/f"}, ErrDownload, "more than 10 redirects", 11},
		{"a redirect to another scheme", imagetest.File{Redirect: "ftp://mirror.lan/f"}, ErrDownload,
			"which has the scheme ftp", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.mirror.PutFile("f", &c.file)
			_, err := b.fetched("f")
			if !errors.Is(err, c.cause) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %v with %q", err, c.cause, c.text)
			}
			if got := len(b.mirror.Asked("f")); got != c.asked {
				t.Errorf("%d requests, want %d", got, c.asked)
			}
		})
	}
}

// A server that takes the request and is silent is given up after the time for it, as is one whose name there is not,
// at once.
func TestNobodyAnswers(t *testing.T) {
	b := newBench(t)
	_, _, err := b.fetch.text(context.Background(), "http://no-such-host.invalid/x", 10)
	if !errors.Is(err, ErrDownload) || !errors.Is(err, errLasting) {
		t.Errorf("a name that there is not: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }),
	)
	defer srv.Close()
	if _, _, err := b.fetch.text(ctx, srv.URL, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRedirect(t *testing.T) {
	b := newBench(t)
	other := imagetest.New(t)
	body := noise(100_000)
	other.PutFile("g", &imagetest.File{Body: body, Cuts: []int{40_000}})
	b.mirror.PutFile("f", &imagetest.File{Redirect: other.URL + "/g"})
	if got, err := b.fetched("f"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if asked := other.Asked("g"); len(asked) != 2 || asked[1].Range != "bytes=40000-" {
		t.Errorf("the second server was asked %+v", asked)
	}
}

// From https nobody may be sent to where anyone on the way can put something else.
func TestNoRedirectFromHTTPS(t *testing.T) {
	b := newBench(t)
	b.mirror.Put("g", []byte("evil"))
	srv := httptest.NewTLSServer(http.RedirectHandler(b.mirror.URL+"/g", http.StatusFound))
	defer srv.Close()
	if _, _, err := b.fetch.text(context.Background(), srv.URL, 100); !errors.Is(err, ErrDownload) ||
		!strings.Contains(err.Error(), "certificate") ||
		!errors.Is(err, errLasting) {
		t.Errorf("a certificate that nobody signed: %v", err)
	}
	b.fetch.http.SetTLSClientConfig(&tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	_, _, err := b.fetch.text(context.Background(), srv.URL, 100)
	if !errors.Is(err, ErrDownload) || !strings.Contains(err.Error(), "redirects from https to http://") ||
		len(b.mirror.Asked("g")) > 0 {
		t.Errorf("%v; %d requests", err, len(b.mirror.Asked("g")))
	}
}

// Proxies are taken from the environment as other programs take them.
func TestProxy(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	t.Setenv("http_proxy", "")
	t.Setenv("HTTP_PROXY", b.mirror.URL)
	t.Setenv("NO_PROXY", "direct.invalid")
	t.Setenv("no_proxy", "direct.invalid")
	b.open()
	b.add(Order{Recipe: "smartos", Version: stamp, Mirrors: []string{"http://mirror.invalid"}})
	for _, r := range b.mirror.Asked("") {
		if r.Host != "mirror.invalid" {
			t.Errorf("the proxy was asked for host %q", r.Host)
		}
	}
	b.fails(
		Order{Recipe: "smartos", Version: stamp, Replace: true, Mirrors: []string{"http://direct.invalid"}},
		ErrDownload,
		"direct.invalid",
	)
}

func TestTextIsBounded(t *testing.T) {
	b := newBench(t)
	b.mirror.Put("f", noise(101))
	if _, _, err := b.fetch.text(context.Background(), b.mirror.URL+"/f", 100); !errors.Is(err, ErrDownload) ||
		len(b.mirror.Asked("f")) != 1 {
		t.Errorf("%v after %d requests", err, len(b.mirror.Asked("f")))
	}
}

// A URL with a password in it is never shown with it.
func TestPasswordsAreNotShown(t *testing.T) {
	b := newBench(t)
	at := strings.Replace(b.mirror.URL, "http://", "http://user:geheim@", 1)
	archive := imagetest.SmartOS(t, stamp)
	b.fails(
		Order{Recipe: "smartos", Version: stamp, From: []string{at + "/platform-" + stamp + ".tgz"}},
		ErrNotFound,
		"user:xxxxx@",
	)
	b.mirror.Put("platform-"+stamp+".tgz", archive)
	b.add(Order{Recipe: "smartos", Version: stamp, From: []string{at + "/platform-" + stamp + ".tgz"}})
	b.mu.Lock()
	defer b.mu.Unlock()
	if text := strings.Join(b.steps, "\n") + b.read("http/smartos/"+stamp+"/"+manifestName); strings.Contains(
		text,
		"geheim",
	) {
		t.Errorf("the password is in\n%s", text)
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 10-99/100", "bytes */100", "bytes 0-0/*", "bytes -/", "",
		"bytes 9999999999999999999-1/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, total, ok := contentRange(s)
		if ok && (start < 0 || total < -1) {
			t.Errorf("%q: %d of %d", s, start, total)
		}
	})
}
