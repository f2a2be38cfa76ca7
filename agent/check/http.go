package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"pxeagent/agent/boot"
	"pxeagent/agent/script"
)

// How many requests run side by side.
const (
	manyRequests = 16
	perHost      = 4
)

// fetcher asks HTTP servers. A host that does not answer is not asked again.
type fetcher struct {
	client *http.Client
	all    chan struct{}

	mu     sync.Mutex
	hosts  map[string]*host
	loaded map[string]chained // by URL
}

// host is one server, by name and port.
type host struct {
	slots chan struct{}
	dead  error // how it did not answer; guarded by fetcher.mu
}

func newFetcher(c Config) *fetcher {
	return &fetcher{
		client: c.client(), all: make(chan struct{}, manyRequests), hosts: map[string]*host{}, loaded: map[string]chained{},
	}
}

func (f *fetcher) host(name string) *host {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		h = &host{slots: make(chan struct{}, perHost)}
		f.hosts[name] = h
	}
	return h
}

// do makes a request when there is room for it, and has use read the response.
func (f *fetcher) do(ctx context.Context, method, who, u string, use func(*http.Response) error) error {
	parsed, err := url.Parse(u)
	if err != nil {
		return err
	}
	h := f.host(parsed.Host)
	for _, slots := range []chan struct{}{h.slots, f.all} {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f.mu.Lock()
	dead := h.dead
	f.mu.Unlock()
	if dead != nil {
		return fmt.Errorf("not asked: %s did not answer before: %w", parsed.Host, dead)
	}
	resp, err := httpDo(ctx, f.client, method, who, u)
	if err != nil {
		f.silent(ctx, err)
		return err
	}
	defer resp.Body.Close()
	return use(resp)
}

// silent remembers a host that did not answer; where there was a redirect, that is the last one.
func (f *fetcher) silent(ctx context.Context, err error) {
	var where *url.Error
	var op *net.OpError
	if ctx.Err() != nil || !errors.As(err, &where) || errors.Is(err, errLocal) || !where.Timeout() &&
		!errors.As(err, &op) {
		return
	}
	u, parseErr := url.Parse(where.URL)
	if parseErr != nil {
		return
	}
	h := f.host(u.Host)
	f.mu.Lock()
	defer f.mu.Unlock()
	h.dead = where.Err
}

// get fetches a small file whole, as iPXE would.
func (f *fetcher) get(ctx context.Context, u string) (body []byte, err error) {
	err = f.do(ctx, http.MethodGet, asIPXE, u, func(resp *http.Response) error {
		body, err = readScript(u, resp.Body)
		return err
	})
	return body, err
}

// size asks for a file's length in bytes without fetching it; -1 where the server does not say.
func (f *fetcher) size(ctx context.Context, who, u string) (size int64, err error) {
	err = f.do(ctx, http.MethodHead, who, u, func(resp *http.Response) error {
		if size = resp.ContentLength; size == 0 {
			return errEmpty
		}
		return nil
	})
	if err != nil {
		return -1, err
	}
	return size, nil
}

// chained is what stands behind a URL that a script chains.
type chained struct {
	text []byte // the script; nil: a program
	size int64  // -1: not known
	err  error
}

// chained fetches what a script chains: of a program only the beginning.
func (f *fetcher) chained(ctx context.Context, u string) chained {
	if c, done := f.loaded[u]; done {
		return c
	}
	c := chained{size: -1}
	c.err = f.do(ctx, http.MethodGet, asIPXE, u, func(resp *http.Response) error {
		head := make([]byte, script.HeadLength)
		n, err := io.ReadFull(resp.Body, head)
		switch {
		case n == 0:
			return errEmpty
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("reading %s: %w", u, err)
		case script.Validate(head[:n]) != nil:
			c.size = resp.ContentLength
			return nil
		}
		rest, err := readScript(u, resp.Body)
		c.text = append(head[:n], rest...)
		c.size = int64(len(c.text))
		return err
	})
	f.loaded[u] = c
	return c
}

func readScript(u string, r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxScript+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", u, err)
	case len(body) > maxScript:
		return nil, fmt.Errorf("reading %s: over %d bytes", u, maxScript)
	}
	return body, nil
}

// httpDo answers with a response of status 200 and nothing else.
func httpDo(ctx context.Context, client *http.Client, method, who, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", who)
	req.Header.Set(boot.CheckHeader, "1")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: status %s", method, url, strconv.Quote(resp.Status))
	}
	return resp, nil
}
