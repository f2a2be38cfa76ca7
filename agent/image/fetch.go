package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/go-resty/resty/v2"
	"golang.org/x/net/http/httpproxy"
)

// How long a server may take, and how often it is asked.
const (
	dialTimeout  = 10 * time.Second
	helloTimeout = 15 * time.Second // TLS
	headTimeout  = 30 * time.Second
	stallTimeout = 30 * time.Second // without a byte
	attempts     = 5                // for one file from one mirror, without progress between
	firstWait    = time.Second      // before the second; it doubles
	longestWait  = 30 * time.Second // between two
)

// fetcher fetches files from mirrors.
type fetcher struct {
	http     *resty.Client
	partials partials
	report   reporter
	stall    time.Duration
	wait     time.Duration
}

// newFetcher takes proxies from the environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY.
func newFetcher(dir partials, report reporter) *fetcher {
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	client := &http.Client{
		Transport: &http.Transport{
			Proxy:                 func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:   helloTimeout,
			ResponseHeaderTimeout: headTimeout,
			// Lengths and ranges count the bytes of the file, so nothing may pack it on the way.
			DisableCompression: true,
			ForceAttemptHTTP2:  true,
			MaxIdleConns:       4,
			IdleConnTimeout:    30 * time.Second,
		},
		CheckRedirect: checkRedirect,
	}
	return &fetcher{
		http: resty.NewWithClient(client).SetLogger(silent{}).SetDisableWarn(true).SetRetryCount(0).
			SetHeader("User-Agent", "pxeagent").SetHeader("Accept-Encoding", "identity"),
		partials: dir, report: report, stall: stallTimeout, wait: firstWait,
	}
}

const maxRedirects = 10

// checkRedirect follows mirrors to where they send, but never from https to where anyone on the way may change what
// comes.
func checkRedirect(to *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects%w", maxRedirects, errLasting)
	case via[0].URL.Scheme == "https" && to.URL.Scheme != "https":
		return fmt.Errorf("it redirects from https to %s%w", to.URL.Redacted(), errLasting)
	case to.URL.Scheme != "http" && to.URL.Scheme != "https":
		return fmt.Errorf("it redirects to %s, which has the scheme %s%w", to.URL.Redacted(), to.URL.Scheme, errLasting)
	}
	return nil
}

// silent is resty's logger. What it would say comes back as an error as well.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// errLasting marks what a second try does not mend.
var errLasting = errors.New("")

// answer is a server's answer whose body is still to be read. Close it.
type answer struct {
	*http.Response
	body   *stallReader
	cancel context.CancelFunc
}

func (a answer) Close() {
	a.body.stop()
	a.cancel()
	a.Body.Close()
}

// ask sends one GET. Answers other than 200, 206 and 416 are errors.
func (f *fetcher) ask(ctx context.Context, from string, header map[string]string) (answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := f.http.R().SetContext(ctx).SetDoNotParseResponse(true).SetHeaders(header).Get(from)
	if err != nil {
		cancel()
		return answer{}, fmt.Errorf("%w: %w", ErrDownload, plainURLError(err))
	}
	raw := resp.RawResponse
	a := answer{Response: raw, cancel: cancel, body: newStallReader(raw.Body, f.stall, cancel)}
	switch code := raw.StatusCode; {
	case code == http.StatusOK, code == http.StatusPartialContent, code == http.StatusRequestedRangeNotSatisfiable:
		return a, nil
	case code == http.StatusNotFound, code == http.StatusGone:
		err = fmt.Errorf("%w: %s answers %d", ErrNotFound, shownURL(from), code)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		err = fmt.Errorf("%w: %s answers %s", ErrDownload, shownURL(from), raw.Status)
	default:
		err = fmt.Errorf("%w: %s answers %s%w", ErrDownload, shownURL(from), raw.Status, errLasting)
	}
	a.Close()
	return answer{}, err
}

// plainURLError leaves out the method, and what a URL may have that is secret. A name that does not exist and a
// certificate that is not trusted do not change from one second to the next.
func plainURLError(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	if errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &cert) {
		return fmt.Errorf("%s: %w%w", shownURL(u.URL), u.Err, errLasting)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%s: %w", shownURL(u.URL), errCut)
	}
	return fmt.Errorf("%s: %w", shownURL(u.URL), u.Err)
}

// shownURL is a URL for people: without its password.
func shownURL(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return "(no URL)"
}

// again runs try until it succeeds, fails for good, or has failed attempts times in a row. moved says whether the last
// try came further, which gives it all attempts again.
func (f *fetcher) again(ctx context.Context, try func() (moved bool, err error)) error {
	pause := &backoff.ExponentialBackOff{InitialInterval: f.wait, Multiplier: 2, MaxInterval: longestWait}
	pause.Reset()
	for n := 1; ; n++ {
		moved, err := try()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errLasting), errors.Is(err, ErrNotFound), !errors.Is(err, ErrDownload):
			return err
		}
		if moved {
			n = 1
			pause.Reset()
		}
		if n == attempts {
			return fmt.Errorf("%w (after %d tries)", err, attempts)
		}
		wait := pause.NextBackOff()
		f.report.step(fmt.Sprintf("%v; trying again in %s", err, wait))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// text fetches a small file, and the URL where it was in the end.
func (f *fetcher) text(ctx context.Context, from string, limit int64) (text []byte, at string, err error) {
	err = f.again(ctx, func() (bool, error) {
		a, err := f.ask(ctx, from, nil)
		if err != nil {
			return false, err
		}
		defer a.Close()
		if a.StatusCode != http.StatusOK {
			return false, fmt.Errorf("%w: %s answers %s%w", ErrDownload, shownURL(from), a.Status, errLasting)
		}
		text, err = io.ReadAll(io.LimitReader(a.body, limit+1))
		switch {
		case err != nil:
			return false, fmt.Errorf("%w: reading %s: %w", ErrDownload, shownURL(from), a.body.cause(err))
		case int64(len(text)) > limit:
			return false, fmt.Errorf("%w: %s has more than %d bytes%w", ErrDownload, shownURL(from), limit, errLasting)
		}
		at = a.Request.URL.String()
		return false, nil
	})
	return text, at, err
}

// there fails where the server does not send the file. One request tells; nothing of the file is read.
func (f *fetcher) there(ctx context.Context, from string) error {
	a, err := f.ask(ctx, from, nil)
	if err == nil {
		a.Close()
	}
	return err
}

// contentRange reads "bytes 10-99/100"; total is -1 where it is unknown.
func contentRange(s string) (start, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, size, cut := strings.Cut(s, "/")
	if !ok || !cut {
		return 0, 0, false
	}
	total = -1
	if size != "*" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		total = n
	}
	if span == "*" {
		return 0, total, true
	}
	first, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	return start, total, err == nil && start >= 0
}
