package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"pxeagent/agent/efi"
	"pxeagent/agent/script"
)

// byTFTP fetches the beginning of a file that a script names by tftp://, at least limit bytes of it, as iPXE does, and
// returns its size (-1: not known). A server that does not answer is asked once.
func (w *walker) byTFTP(u string, limit int) (head []byte, size int64, err error) {
	server, name, err := w.at(u)
	if err != nil {
		return nil, -1, err
	}
	err = w.asTFTP(server, func() (err error) {
		head, size, err = tftpHead(w.ctx, server, name, asksIPXE, limit)
		return err
	})
	if err != nil {
		return nil, -1, err
	}
	return head, size, nil
}

// chainedByTFTP fetches what a script chains by tftp://.
func (w *walker) chainedByTFTP(u string) chained {
	c := chained{size: -1}
	if c.head, c.size, c.err = w.byTFTP(u, efi.HeadLength); c.err != nil || script.Validate(c.head) != nil {
		return c
	}
	server, name, err := w.at(u)
	if err == nil {
		err = w.asTFTP(server, func() (err error) {
			c.text, err = tftpAll(w.ctx, server, name, asksIPXE, maxScript)
			return err
		})
	}
	c.size, c.err = int64(len(c.text)), err
	return c
}

// asTFTP asks a server when there is room for it, and not again where it was silent.
func (w *walker) asTFTP(server netip.AddrPort, ask func() error) error {
	host := "tftp://" + server.String()
	return w.http.ask(w.ctx, host, func() error {
		err := ask()
		if errors.Is(err, errSilent) {
			w.http.bury(host, err)
		}
		return err
	})
}

// at is the server of a tftp:// URL, and the file's name there: iPXE leaves out the slash before it.
func (w *walker) at(u string) (server netip.AddrPort, name string, err error) {
	parsed, err := url.Parse(u)
	if err != nil {
		return server, "", err
	}
	addr, err := resolve(w.ctx, parsed.Hostname())
	if err == nil {
		err = w.reachable(addr)
	}
	if err != nil {
		return server, "", err
	}
	server = w.tftp(addr)
	if port := parsed.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return server, "", fmt.Errorf("invalid port in %s", u)
		}
		server = netip.AddrPortFrom(addr, uint16(n))
	}
	return server, strings.TrimPrefix(parsed.Path, "/"), nil
}

// resolve is the IPv4 address of a host.
func resolve(ctx context.Context, host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a, nil
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return all[0].Unmap(), nil
}
