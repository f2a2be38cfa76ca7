// Package remote is how backends talk to a DHCP server over the network: one certificate that is trusted, a login that
// is not sent again once it was rejected, requests without retries and redirects, errors that can be told apart.
package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-resty/resty/v2"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
)

// MaxAnswer is the longest answer that is read, in bytes.
const MaxAnswer = 8 << 20

// Config says which server, and how it is reached.
type Config struct {
	URL       *url.URL  // https, or http on loopback; host and port
	TLSSHA256 *[32]byte // of the only certificate that is accepted, in DER; nil: CAs verify it
	CAFile    string    // PEM; "": the system's CAs
	StateDir  string    // where rejected logins are recorded; "": nowhere
	RetryAuth bool      // send a login even where it was rejected before
}

// Client asks one server.
type Client struct {
	url      *url.URL
	http     *resty.Client
	rejected rejected
}

// New makes a Client. It contacts nobody. Its error is that of reading the CA.
func New(c Config) (*Client, error) {
	trust, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		// The server is on this site: no proxy, no compression, and redirects are not followed.
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:     trust,
			TLSHandshakeTimeout: handshakeTimeout,
			DisableCompression:  true,
			MaxIdleConns:        1,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Client{
		url: c.URL, rejected: rejected{dir: c.StateDir, url: c.URL.String(), retry: c.RetryAuth},
		http: resty.NewWithClient(client).SetLogger(discardLogger{}).SetDisableWarn(true).SetRetryCount(0).
			SetResponseBodyLimit(MaxAnswer).SetHeader("User-Agent", "pxeagent"),
	}, nil
}

// String is the server's URL.
func (c *Client) String() string { return c.url.String() }

// BeforeEach has step called before each request, with its method.
func (c *Client) BeforeEach(step func(method string)) {
	c.http.SetPreRequestHook(func(_ *resty.Client, r *http.Request) error {
		step(r.Method)
		return nil
	})
}

// Host is the server's host, with the port where the URL has one.
func (c *Client) Host() string { return c.url.Host }

// discardLogger is resty's logger. Its errors are returned as well, and requests must not be logged.
type discardLogger struct{}

func (discardLogger) Errorf(string, ...any) {}
func (discardLogger) Warnf(string, ...any)  {}
func (discardLogger) Debugf(string, ...any) {}

// Request is one request.
type Request struct {
	Method string // "": POST
	Path   string // below the server's URL
	Query  url.Values
	Header map[string]string
	Body   []byte               // nil: none
	Sign   func(*resty.Request) // adds the login; nil: none
	Within time.Duration        // for the whole of it
}

// Reply is an HTTP response of any status.
type Reply struct {
	Status   int
	Location string
	Type     string // Content-Type
	Body     []byte
}

// Do sends one request, once. Errors wrap ErrTLS, ErrTimeout, ErrUnreachable or ErrOther, or are context.Canceled.
func (c *Client) Do(ctx context.Context, q Request) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, q.Within)
	defer cancel()
	r := c.http.R().SetContext(ctx).SetHeaders(q.Header).SetQueryParamsFromValues(q.Query)
	if q.Body != nil {
		r.SetBody(q.Body)
	}
	if q.Sign != nil {
		q.Sign(r)
	}
	method := cmp.Or(q.Method, http.MethodPost)
	res, err := r.Execute(method, c.url.JoinPath(q.Path).String())
	if err == nil && len(res.Body()) == 0 {
		// A server may send an empty answer because we closed the connection, and that answer may still be read.
		err = ctx.Err()
	}
	if err != nil {
		return Reply{}, requestError(ctx, err)
	}
	return Reply{
		Status: res.StatusCode(), Location: res.Header().Get("Location"), Type: res.Header().Get("Content-Type"),
		Body: res.Body(),
	}, nil
}

// Guard keeps a rejected login from being sent again, and records one that is rejected now. A login that lacks a
// privilege was accepted: it is not recorded, so that it works as soon as the privilege is given.
func (c *Client) Guard(l Login, send func() error) error {
	if err := c.rejected.allows(l); err != nil {
		return err
	}
	err := send()
	switch {
	case errors.Is(err, ErrCredential):
		if failed := c.rejected.add(l); failed != nil {
			return fmt.Errorf("%w, and recording that failed, so the next run would try it again: %w", err, failed)
		}
	case err == nil:
		return c.rejected.forget(l)
	}
	return err
}

// requestError is the error for a request without an answer. ctx is the request's own.
func requestError(ctx context.Context, err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	var (
		pin    *CertificateError
		verify *tls.CertificateVerificationError
		op     *net.OpError
		record tls.RecordHeaderError
		slow   net.Error
	)
	switch {
	case errors.As(err, &pin):
		return pin
	case errors.Is(context.Cause(ctx), context.Canceled):
		return context.Canceled
	case errors.As(err, &verify):
		return fmt.Errorf("%w: %w%s", ErrTLS, verify.Err, presentedText(verify))
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return fmt.Errorf("%w: no TLS at that port", ErrOther)
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return fmt.Errorf("%w: TLS handshake: %w", ErrTLS, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fmt.Errorf("%w: its answer is longer than %d bytes", ErrOther, MaxAnswer)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the connection was closed", ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
