package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/probe"
	"pxeagent/agent/script"
)

// Config says where to look.
type Config struct {
	// TFTPPort is the port at next-server. The default, 69, is the only one that firmware asks.
	TFTPPort uint16
	// NextServer is what the configuration itself names. It is asked even where it is a loopback or link-local address;
	// nothing that an offer or a script names is.
	NextServer netip.Addr
	// Sends is what the DHCP server can send: what comes of an NBP that does not fit the client is not judged then.
	Sends dhcp.Abilities
	// AnyNBP: an NBP may be another than iPXE. What is not known to be iPXE may be anything, and is not followed.
	AnyNBP bool
	// Signatures: UEFI's NBPs are fetched whole, and who signed them is said; a shim's second stage is looked for.
	Signatures bool
	// Limit is how long all of it may take; 0: DefaultLimit.
	Limit time.Duration
	Told  func(Step)   // called by Walk with each step as soon as it is known; nil: nobody is told
	Guard *guard.Guard // makes a panic a step that failed, or an error; nil: nothing does
}

// DefaultLimit is how long a check may take: one that is answered takes a second, and where nothing answers that is
// known by then.
const DefaultLimit = time.Minute

// httpLimit is how long one HTTP request may take.
const httpLimit = 10 * time.Second

func (c Config) tftp(server netip.Addr) netip.AddrPort {
	if c.TFTPPort == 0 {
		c.TFTPPort = 69
	}
	return netip.AddrPortFrom(server, c.TFTPPort)
}

// within is ctx with the limit.
func (c Config) within(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := cmp.Or(c.Limit, DefaultLimit)
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("given up: the check took longer than %v", limit))
}

// errLocal: whoever makes an offer or a script must not choose what this machine asks of itself.
var errLocal = errors.New("not asked: it is no address at which another machine can be reached")

// reachable returns an error for a loopback or link-local address, unless the configuration names it.
func (c Config) reachable(a netip.Addr) error {
	if a = a.Unmap(); a != c.NextServer && probe.Local(a) {
		return fmt.Errorf("%s: %w", a, errLocal)
	}
	return nil
}

// client fetches by HTTP as a machine does: through no proxy. Names and redirects are looked at when they have become
// an address.
func (c Config) client() *http.Client {
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return c.reachable(at.Addr())
	}}
	return &http.Client{Timeout: httpLimit, Transport: &http.Transport{DialContext: d.DialContext,
		TLSHandshakeTimeout: httpLimit}}
}

// Serving asks whether machines that are told want would find anything: the beginning of each NBP at next-server and of
// each URL's, which must be for that machine, and the script, whole and valid. script is where iPXE will look for it in
// the end, whether or not want names it, and also are NBPs that only some machines are given. All that is missing is
// named in the error; of what a server does not answer at all the first.
func Serving(ctx context.Context, c Config, want dhcp.Boot, script *url.URL, also ...string) error {
	c.NextServer = want.NextServer
	ctx, cancel := c.within(ctx)
	defer cancel()
	client := newFetcher(c)
	defer client.client.CloseIdleConnections()
	var urls []string
	var asks []func() error
	add := func(u string, ask func() error) { urls, asks = append(urls, u), append(asks, ask) }
	asked := map[string]bool{}
	server := c.tftp(want.NextServer)
	for _, a := range firmware.Arches() {
		if name := want.NBP[a]; name != "" && !asked[name] {
			asked[name] = true
			add(tftpURL(server, name), func() error { return nbpThere(ctx, a, server, name) })
		}
		if u := want.URL[a]; u != "" && !asked[u] {
			asked[u] = true
			add(u, func() error {
				_, err := client.httpNBP(ctx, a, u)
				return err
			})
		}
	}
	for _, name := range also {
		if !asked[name] {
			asked[name] = true
			add(tftpURL(server, name), func() error {
				if _, _, err := tftpHead(ctx, server, name, asksEDK2, 1); err != nil {
					return fmt.Errorf("%s: %w", tftpURL(server, name), err)
				}
				return nil
			})
		}
	}
	if script != nil {
		add(script.String(), func() error { return validScript(ctx, client, script.String()) })
	}
	// All at once: where nothing serves, each takes its time to find out.
	all := make(faults, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { all[i] = fault{urls[i], c.Guard.Do(guard.Check, ask)} })
	}
	wg.Wait()
	all = slices.DeleteFunc(all, func(f fault) bool { return f.err == nil })
	if len(all) == 0 {
		return nil
	}
	return all
}

// fault is why there is nothing at a URL.
type fault struct {
	url string
	err error
}

// silence is why the server itself did not answer; "": it did.
func (f fault) silence() string {
	var op *net.OpError
	var slow net.Error
	switch {
	case errors.As(f.err, &op):
		return op.Err.Error()
	case errors.Is(f.err, errSilent), errors.As(f.err, &slow) && slow.Timeout():
		return "no answer"
	}
	return ""
}

// faults are told on one short line: a server that does not answer is named once, with the first URL there.
type faults []fault

func (f faults) Error() string {
	type server struct{ scheme, host, why string }
	at := map[server]int{} // in texts
	more := map[int]int{}
	var texts []string
	for _, one := range f {
		u, err := url.Parse(one.url)
		why := one.silence()
		if why == "" || err != nil {
			texts = append(texts, one.err.Error())
			continue
		}
		s := server{u.Scheme, u.Host, why}
		if first, known := at[s]; known {
			more[first]++
			continue
		}
		at[s] = len(texts)
		texts = append(texts, one.url)
	}
	for s, first := range at {
		if n := more[first]; n > 0 {
			texts[first] += fmt.Sprintf(" and %d more", n)
		}
		texts[first] += ": " + s.why
	}
	return strings.Join(texts, "; ")
}

func (f faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, one := range f {
		errs[i] = one.err
	}
	return errs
}

func nbpThere(ctx context.Context, arch firmware.Arch, server netip.AddrPort, name string) error {
	if _, err := tftpNBP(ctx, arch, server, name); err != nil {
		return fmt.Errorf("%s: %w", tftpURL(server, name), err)
	}
	return nil
}

func tftpURL(server netip.AddrPort, name string) string {
	return fmt.Sprintf("tftp://%s/%s", server, name)
}

func validScript(ctx context.Context, client *fetcher, u string) error {
	text, err := client.get(ctx, u)
	if err != nil {
		return err
	}
	if err := script.Validate(text); err != nil {
		return fmt.Errorf("%s: %w", u, err)
	}
	return nil
}
