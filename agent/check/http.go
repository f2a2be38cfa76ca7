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
	"pxeagent/agent/efi"
	"pxeagent/agent/script"
)

var errRedirect = errors.New("it leads elsewhere (a redirect), which UEFI HTTP boot does not follow")

// How many requests run side by side.
const (
	manyRequests = 16
	perHost      = 4
)

// fetcher asks servers. A host that does not answer is not asked again.
type fetcher struct {
	client   *http.Client
	firmware *http.Client // follows no redirect
	all      chan struct{}

	mu    sync.Mutex
	hosts map[string]*host
}

// host is one server, by name and port.
type host struct {
	slots chan struct{}
	dead  error // how it did not answer; guarded by fetcher.mu
}

func newFetcher(c Config) *fetcher {
	client := c.client()
	firmware := *client
	firmware.CheckRedirect = func(*http.Request, []*http.Request) error { return errRedirect }
	return &fetcher{
		client: client, firmware: &firmware, all: make(chan struct{}, manyRequests), hosts: map[string]*host{},
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
	return f.ask(ctx, parsed.Host, func() error {
		client := f.client
		if who == asFirmware {
			client = f.firmware
		}
		resp, err := httpDo(ctx, client, method, who, u)
		if err != nil {
			f.silent(ctx, err)
			return err
		}
		defer resp.Body.Close()
		return use(resp)
	})
}

// ask asks a host when there is room for it, unless it did not answer before.
func (f *fetcher) ask(ctx context.Context, name string, request func() error) error {
	h := f.host(name)
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
		return fmt.Errorf("not asked: %s did not answer before: %w", name, dead)
	}
	return request()
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
	f.bury(u.Host, where.Err)
}

// bury remembers how a host did not answer.
func (f *fetcher) bury(name string, err error) {
	h := f.host(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	h.dead = err
}

// get fetches a small file whole, as iPXE would.
func (f *fetcher) get(ctx context.Context, u string) (body []byte, err error) {
	err = f.do(ctx, http.MethodGet, asIPXE, u, func(resp *http.Response) error {
		body, err = readScript(u, resp.Body)
		return err
	})
	return body, err
}

// nbp asks for an NBP as UEFI HTTP boot does, which follows no redirect, and returns its length (-1: not said), its
// type and its beginning.
func (f *fetcher) nbp(ctx context.Context, u string) (size int64, kind string, head []byte, err error) {
	err = f.do(ctx, http.MethodHead, asFirmware, u, func(resp *http.Response) error {
		if size, kind = resp.ContentLength, resp.Header.Get("Content-Type"); size == 0 {
			return errEmpty
		}
		return nil
	})
	if err != nil {
		return -1, "", nil, err
	}
	err = f.do(ctx, http.MethodGet, asFirmware, u, func(resp *http.Response) error {
		head, err = io.ReadAll(io.LimitReader(resp.Body, efi.HeadLength))
		return err
	})
	if err != nil {
		return -1, "", nil, fmt.Errorf("reading %s: %w", u, err)
	}
	return size, kind, head, nil
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
	head []byte // how it begins
	size int64  // -1: not known
	err  error
}

// chained fetches what a script chains: of a program only the beginning.
func (f *fetcher) chained(ctx context.Context, u string) chained {
	c := chained{size: -1}
	c.err = f.do(ctx, http.MethodGet, asIPXE, u, func(resp *http.Response) error {
		head := make([]byte, efi.HeadLength)
		n, err := io.ReadFull(resp.Body, head)
		c.head = head[:n]
		switch {
		case n == 0:
			return errEmpty
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("reading %s: %w", u, err)
		case script.Validate(c.head) != nil:
			c.size = resp.ContentLength
			return nil
		}
		rest, err := readScript(u, resp.Body)
		c.text = append(c.head, rest...)
		c.size = int64(len(c.text))
		return err
	})
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

// httpDo answers with a response of status 200 and nothing else, but for a beginning.
func httpDo(ctx context.Context, client *http.Client, method, who, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", who)
	begins := who == asFirmware && method == http.MethodGet
	if begins {
		// Firmware fetches all of it. The beginning is enough here, and spares the server an end in the middle.
		req.Header.Set("Range", fmt.Sprintf("bytes=0-%d", efi.HeadLength-1))
	}
	req.Header.Set(boot.CheckHeader, "1")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && !(begins && resp.StatusCode == http.StatusPartialContent) {
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: status %s", method, url, strconv.Quote(resp.Status))
	}
	return resp, nil
}
