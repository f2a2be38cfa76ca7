package lab

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a Chromium without a window, with one page and a profile of its own.
type Browser struct {
	t    testing.TB
	ctx  context.Context
	mu   sync.Mutex
	said []string
	asks []string
}

// StartBrowser starts Chromium, which is ended with t. It skips t where there is none.
func StartBrowser(t testing.TB) *Browser {
	t.Helper()
	Need(t, "chromium")
	NoShort(t)
	options := append(
		[]chromedp.ExecAllocatorOption{},
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.NoSandbox,
		chromedp.Headless,
		chromedp.DisableGPU,
		chromedp.ExecPath("/usr/bin/chromium"),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update",
		"disable-sync", "disable-default-apps", "disable-extensions",
		"disable-dev-shm-usage", "hide-scrollbars", "mute-audio", "no-proxy-server"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	// It complains of events that this Chromium has and it does not know.
	ctx, end := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	b := &Browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		// Cancel waits for the browser to close, so that its profile can be removed.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("closing Chromium: %v", err)
		}
		end()
		stop()
	})
	chromedp.ListenTarget(ctx, b.hear)
	b.Do("starting", runtime.Enable(), log.Enable(), network.Enable())
	return b
}

// hear keeps what the page complains of, and whom it asks.
func (b *Browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			b.said = append(b.said, strings.Join(words, " "))
		}
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			b.said = append(b.said, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		b.asks = append(b.asks, e.Request.URL)
	}
}

// Complaints are errors and warnings of the page since the last call: exceptions, violations of its policy, requests
// that failed.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.said
	b.said = nil
	return said
}

// Asked are the URLs that the page asked for since the browser was started.
func (b *Browser) Asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.asks...)
}

// browserWait is how long a step may take, on a machine that has much else to do.
const browserWait = 30 * time.Second

// Do does these actions, one after the other.
func (b *Browser) Do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	// The first Run starts the browser, which lives as long as that Run's context.
	if chromedp.FromContext(b.ctx).Target == nil {
		if err := chromedp.Run(b.ctx); err != nil {
			b.t.Fatalf("starting Chromium: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, browserWait)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// Eval is what a JavaScript expression comes to.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	var v T
	b.Do(expression, chromedp.Evaluate(expression, &v))
	return v
}

// Until waits until a JavaScript expression is true; that it fails means that it is not yet. The page's policy forbids
// what chromedp.Poll does for that.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	deadline := time.Now().Add(browserWait)
	for !Eval[bool](b, "(() => { try { return !!("+expression+") } catch { return false } })()") {
		if time.Now().After(deadline) {
			text := Eval[string](b, "document.body.innerText")
			b.t.Fatalf("it did not come to: %s\ncomplaints: %q\nthe page:\n%s", expression, b.Complaints(), text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
