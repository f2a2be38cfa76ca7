package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
)

// countAnswers makes window.answers the number of lists of boots that the page has worked through.
const countAnswers = `(() => {
	window.answers = 0;
	const json = Response.prototype.json;
	Response.prototype.json = function () {
		const counts = this.url.includes("/api/v1/boots") ? 1 : 0;
		return json.call(this).finally(() => setTimeout(() => { window.answers += counts; }, 0));
	};
})()`

// delayedSite is a proxy before a site that has no room for streams until it is opened, and holds back answers with
// boots: what they say is what was true when they were asked for.
type delayedSite struct {
	url     string
	full    atomic.Bool
	asked   chan struct{} // receives once a list of boots has been read and is held back
	release chan struct{} // closed: they are sent
}

func newDelayedSite(t *testing.T, s *site) *delayedSite {
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	d := &delayedSite{asked: make(chan struct{}, 1), release: make(chan struct{})}
	d.full.Store(true)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == EventsPath && d.full.Load():
			http.Error(w, "too many streams", http.StatusServiceUnavailable)
		case r.URL.Path == BootsPath:
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
			select {
			case d.asked <- struct{}{}:
			default:
			}
			select {
			case <-d.release:
			case <-r.Context().Done():
			}
			w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
			_, _ = w.Write(answer.Body.Bytes())
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	d.url = srv.URL
	return d
}

// An answer to a poll that was asked for before the stream was open may come long after it. What the stream said since
// must stay.
func TestLatePollDoesNotUndoEvents(t *testing.T) {
	b := lab.StartBrowser(t)
	s, _, feed := newPageSite(t)
	d := newDelayedSite(t, s)
	early := someBoot(1, func(b *boot.Boot) { b.Host, b.MAC = "early", "52:54:00:00:10:01" })
	feed.Set(early)
	b.Do(
		"opening the page",
		chromedp.EmulateViewport(1280, 1000),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := cdppage.AddScriptToEvaluateOnNewDocument(countAnswers).Do(ctx)
			return err
		}),
		chromedp.Navigate(d.url+"/"),
	)
	<-d.asked

	// These are in no list that the page has been sent, nor does any later event name them.
	feed.Set(someBoot(2, func(b *boot.Boot) { b.Host, b.MAC = "between", "52:54:00:00:10:02" }))
	ended(boot.Booted)(&early)
	feed.Set(early)
	d.full.Store(false)
	b.Until(`document.getElementById("contact").dataset.state === "live"`)
	feed.Set(someBoot(3, func(b *boot.Boot) { b.Host, b.MAC = "after", "52:54:00:00:10:03" }))
	b.Until(cardOf("after"))
	close(d.release)
	b.Until(`window.answers > 0`)
	for name, want := range map[string]string{"between": "Under way", "after": "Under way", "early": "Booted"} {
		if got := lab.Eval[string](b, cardOf(name)+`?.querySelector(".badge").textContent ?? "no card"`); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// cardOf is JavaScript for the card of the machine with that name.
func cardOf(name string) string {
	return `[...document.querySelectorAll("article.machine")].find((a) => a.querySelector("h3").textContent === "` +
		name + `")`
}
