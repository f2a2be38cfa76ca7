package image

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pxeagent/agent/image/imagetest"
)

// pipes is a listener whose connections are made in this process, so that the clock of a synctest bubble counts for
// them.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.done); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// slowly runs a fetcher against a mirror with one file, "f", on a clock that jumps to the next event.
func slowly(t *testing.T, file imagetest.File, run func(t *testing.T, f *fetcher, m *imagetest.Mirror)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := imagetest.NewHandler()
		m.PutFile("f", &file)
		p := pipes{make(chan net.Conn), make(chan struct{})}
		srv := &http.Server{Handler: m}
		go srv.Serve(p)
		transport := &http.Transport{DialContext: p.dial, DisableCompression: true}
		f := newFetcher(partials(dir), nil)
		f.http.SetTransport(transport)
		run(t, f, m)
		transport.CloseIdleConnections()
		srv.Close()
		synctest.Wait()
	})
}

// A body that comes a byte at a time, less than one a second, is ended after a minute; the next run goes on with what
// had come.
func TestSlowDownloadIsEnded(t *testing.T) {
	slowly(
		t,
		imagetest.File{Body: noise(10_000), Every: 1100 * time.Millisecond},
		func(t *testing.T, f *fetcher, m *imagetest.Mirror) {
			start := time.Now()
			_, _, err := f.file(t.Context(), "http://mirror/f", "f", anyRoom)
			if !errors.Is(err, ErrDownload) || !errors.Is(err, errSlow) ||
				!strings.Contains(err.Error(), "in 1m0s (after 5 tries)") {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start).Round(time.Minute); took != 5*time.Minute {
				t.Errorf("it was given up after %s", took)
			}
			asked := m.Asked("f")
			if len(asked) != attempts || asked[0].Range != "" || asked[1].Range != "bytes=55-" {
				t.Errorf("asked for %+v", asked)
			}
			m.Put("f", noise(10_000))
			p, resumed, err := f.file(t.Context(), "http://mirror/f", "f", anyRoom)
			got, _ := os.ReadFile(p.path)
			if err != nil || !resumed || !bytes.Equal(got, noise(10_000)) {
				t.Errorf("the next run: %d bytes, resumed %v, %v", len(got), resumed, err)
			}
		},
	)
}

// What comes steadily may take as long as it likes: 1,250 bytes a second, for an hour and a half.
func TestSteadyDownloadHasNoLimit(t *testing.T) {
	body := noise(7_000_000)
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		go func() {
			defer w.Close()
			for rest := body; len(rest) > 0; rest = rest[12_500:] {
				time.Sleep(10 * time.Second)
				w.Write(rest[:12_500])
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := newStallReader(r, stallTimeout, cancel)
		var got bytes.Buffer
		start := time.Now()
		if _, err := got.ReadFrom(s); err != nil || ctx.Err() != nil || !bytes.Equal(got.Bytes(), body) {
			t.Errorf("%d bytes, %v, %v", got.Len(), err, ctx.Err())
		}
		if took := time.Since(start); took != 5600*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
