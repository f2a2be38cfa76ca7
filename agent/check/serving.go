package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/ipxe"
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
	var errs []error
	asked := map[string]bool{}
	for _, a := range dhcp.Arches() {
		name := want.NBP[a]
		if name == "" || asked[name] {
			continue
		}
		asked[name] = true
		head, _, err := tftpHead(ctx, c.tftp(want.NextServer), name)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("tftp://%s/%s: %w", c.tftp(want.NextServer), name, err))
		case len(head) == 0:
			errs = append(errs, fmt.Errorf("tftp://%s/%s: the file is empty", c.tftp(want.NextServer), name))
		}
	}
	for _, a := range dhcp.Arches() {
		u := want.URL[a]
		if u == "" || asked[u] {
			continue
		}
		asked[u] = true
		if _, err := httpSize(ctx, c.http(), asFirmware, u); err != nil {
			errs = append(errs, err)
		}
	}
	if script != nil {
		errs = append(errs, validScript(ctx, c, script.String()))
	}
	return errors.Join(errs...)
}

func validScript(ctx context.Context, c Config, u string) error {
	text, err := httpGet(ctx, c.http(), u)
	if err != nil {
		return err
	}
	if err := ipxe.Validate(text); err != nil {
		return fmt.Errorf("%s: %w", u, err)
	}
	return nil
}
