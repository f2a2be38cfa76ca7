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

// Timeouts. PHP is slow to start on small firewalls, and a change waits for the DHCP daemon, twice 10 s if it is
// rolled back.
const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	chunkTimeout     = 20 * time.Second
	programTimeout   = 90 * time.Second
)

// maxAnswer is far more than hundreds of static mappings need, in bytes.
const maxAnswer = 8 << 20

// session is the connection to one firewall, for both transports.
type session struct {
	url      *url.URL
	http     *resty.Client
	logins   logins
	rejected rejectedLogins
}

func newSession(c Config) (*session, error) {
	trust, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		// The firewall is on this site: no proxy, no compression, and redirects are not followed.
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
		url: c.URL, logins: newLogins(c), rejected: rejectedLogins{dir: c.StateDir, url: c.URL.String(), retry: c.RetryAuth},
		http: resty.NewWithClient(client).SetLogger(discardLogger{}).SetDisableWarn(true).SetRetryCount(
			0).SetResponseBodyLimit(maxAnswer).
			SetHeader("User-Agent", "pxeagent"),
	}, nil
}

// discardLogger is resty's logger. Its errors are returned as well, and requests must not be logged.
type discardLogger struct{}

func (discardLogger) Errorf(string, ...any) {}
func (discardLogger) Warnf(string, ...any)  {}
func (discardLogger) Debugf(string, ...any) {}

// reply is an HTTP response of any status.
type reply struct {
	status   int
	location string
	body     []byte
}

// post sends one request, without retries.
func (s *session) post(ctx context.Context, path, contentType, accept string, body []byte, cred credential,
	within time.Duration) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r := s.http.R().SetContext(ctx).SetHeader("Content-Type", contentType).SetHeader("Accept", accept).SetBody(body)
	cred.sign(r)
	res, err := r.Post(s.url.JoinPath(path).String())
	if err == nil && len(res.Body()) == 0 {
		// A server may send an empty answer because we closed the connection, and that answer may still be read.
		err = ctx.Err()
	}
	if err != nil {
		return reply{}, requestError(ctx, err)
	}
	return reply{status: res.StatusCode(), location: res.Header().Get("Location"), body: res.Body()}, nil
}

// guard keeps a rejected credential from being sent again, and records one that is rejected now. A login that lacks a
// privilege was accepted: it is not recorded, so that it works as soon as the privilege is given.
func (s *session) guard(cred credential, send func() error) error {
	if err := s.rejected.allows(cred); err != nil {
		return err
	}
	err := send()
	switch {
	case errors.Is(err, ErrCredential):
		if failed := s.rejected.add(cred); failed != nil {
			return fmt.Errorf("%w, and recording that failed, so the next run would try it again: %w", err, failed)
		}
	case err == nil:
		return s.rejected.forget(cred)
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
		return fmt.Errorf("%w: no TLS at that port", ErrNotPfSense)
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert
		return fmt.Errorf("%w: TLS handshake: %w", ErrTLS, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return fmt.Errorf("%w: its answer is longer than %d bytes", ErrNotPfSense, maxAnswer)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the connection was closed", ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
