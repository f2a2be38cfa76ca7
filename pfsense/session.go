package pfsense

import (
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

// How long a firewall may take. Its PHP is slow to start on small machines, and a change waits for the DHCP daemon, twice 10 s where it
// is rolled back.
const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	pieceTimeout     = 20 * time.Second
	programTimeout   = 90 * time.Second
)

// maxAnswer is far above what hundreds of static mappings take.
const maxAnswer = 8 << 20

// session is one firewall, as both ways in speak to it.
type session struct {
	url    *url.URL
	http   *resty.Client
	logins logins
	memory memory
}

func newSession(c Config) (*session, error) {
	trust, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		// The firewall is on this site. No proxy, no compression, no second host: a redirect is an answer, not an order.
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
	return &session{
		url: c.URL, logins: newLogins(c), memory: memory{dir: c.StateDir, url: c.URL.String(), retry: c.RetryAuth},
		http: resty.NewWithClient(client).SetLogger(silent{}).SetDisableWarn(true).SetRetryCount(0).SetResponseBodyLimit(maxAnswer).
			SetHeader("User-Agent", "pxeagent"),
	}, nil
}

// silent is resty's logger. What it would say comes back as an error as well; what it would show of a request is nobody's business.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// reply is an HTTP answer, whatever its status.
type reply struct {
	status   int
	location string
	body     []byte
}

// post sends one request and no second one.
func (s *session) post(ctx context.Context, path, contentType, accept string, body []byte, cred credential, within time.Duration) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r := s.http.R().SetContext(ctx).SetHeader("Content-Type", contentType).SetHeader("Accept", accept).SetBody(body)
	cred.sign(r)
	res, err := r.Post(s.url.JoinPath(path).String())
	if err == nil && len(res.Body()) == 0 {
		// A server may answer emptily because we hung up, and that answer may still be read.
		err = ctx.Err()
	}
	if err != nil {
		return reply{}, lost(ctx, err)
	}
	return reply{status: res.StatusCode(), location: res.Header().Get("Location"), body: res.Body()}, nil
}

// guard keeps a refused credential from being sent again, and remembers one that is refused now.
func (s *session) guard(cred credential, send func() error) error {
	if err := s.memory.allows(cred); err != nil {
		return err
	}
	err := send()
	switch {
	case errors.Is(err, ErrCredential), errors.Is(err, errCounted):
		if failed := s.memory.add(cred); failed != nil {
			return fmt.Errorf("%w; and that could not be remembered, so that a next run would try it again: %w", err, failed)
		}
	case err == nil:
		return s.memory.forget(cred)
	}
	return err
}

// lost says why there is no answer. ctx is the request's own.
func lost(ctx context.Context, err error) error {
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
		return fmt.Errorf("%w: it speaks no TLS at that port", ErrNotPfSense)
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return fmt.Errorf("%w: no TLS session: %w", ErrTLS, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fmt.Errorf("%w: its answer is longer than %d bytes", ErrNotPfSense, maxAnswer)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the connection was cut", ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
