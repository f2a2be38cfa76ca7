package check

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/script"
)

// Config says where to look.
type Config struct {
	// TFTPPort is the port at next-server. The default, 69, is the only one that firmware asks.
	TFTPPort uint16
	// Client fetches by HTTP; nil: one with a limit of 10 s a request.
	Client *http.Client
}

func (c Config) tftp(server netip.Addr) netip.AddrPort {
	if c.TFTPPort == 0 {
		c.TFTPPort = 69
	}
	return netip.AddrPortFrom(server, c.TFTPPort)
}

func (c Config) http() *http.Client {
	if c.Client == nil {
		return &http.Client{Timeout: 10 * time.Second}
	}
	return c.Client
}

// Serving asks whether machines that are told want would find anything: the first block of each NBP
// at next-server, each URL's length, and the script, whole and valid. script is where iPXE will look for it
// in the end, whether or not want names it. All that is missing is named in the error.
func Serving(ctx context.Context, c Config, want dhcp.Boot, script *url.URL) error {
	var asks []func() error
	asked := map[string]bool{}
	for _, a := range dhcp.Arches() {
		if name := want.NBP[a]; name != "" && !asked[name] {
			asked[name] = true
			asks = append(asks, func() error { return nbpThere(ctx, c.tftp(want.NextServer), name) })
		}
		if u := want.URL[a]; u != "" && !asked[u] {
			asked[u] = true
			asks = append(asks, func() error {
				_, err := httpSize(ctx, c.http(), asFirmware, u)
				return err
			})
		}
	}
	if script != nil {
		asks = append(asks, func() error { return validScript(ctx, c, script.String()) })
	}
	// All at once: where nothing serves, each takes its time to find out.
	errs := make([]error, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { errs[i] = ask() })
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 0 {
		return nil
	}
	return faults(errs)
}

// faults are errors that are told on one line.
type faults []error

func (f faults) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (f faults) Unwrap() []error { return f }

func nbpThere(ctx context.Context, server netip.AddrPort, name string) error {
	head, _, err := tftpHead(ctx, server, name)
	if err == nil && len(head) == 0 {
		err = errEmpty
	}
	if err != nil {
		return fmt.Errorf("tftp://%s/%s: %w", server, name, err)
	}
	return nil
}

func validScript(ctx context.Context, c Config, u string) error {
	text, err := httpGet(ctx, c.http(), u)
	if err != nil {
		return err
	}
	if err := script.Validate(text); err != nil {
		return fmt.Errorf("%s: %w", u, err)
	}
	return nil
}
