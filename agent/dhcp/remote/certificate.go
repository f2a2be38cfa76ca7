package remote

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// CertificateError is a certificate that is not the pinned one.
type CertificateError struct {
	Host      string
	Want, Got [32]byte // SHA-256 of the certificates in DER
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("the certificate of %s is not the pinned one: it has SHA-256 %s, want %s", e.Host,
		Fingerprint(e.Got), Fingerprint(e.Want))
}

// Is makes it ErrTLS.
func (e *CertificateError) Is(target error) bool { return target == ErrTLS }

// Fingerprint is a SHA-256 as openssl and browsers show it: AB:CD:…
func Fingerprint(sum [32]byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// tlsConfig trusts the system's CAs, those in the file, or one certificate only.
func tlsConfig(c Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case c.TLSSHA256 != nil:
		want, host := *c.TLSSHA256, c.URL.Host
		// An appliance's own certificate is self-signed and often has no address in it, so neither chain nor name can
		// be verified. The pin is stricter than both: exactly this certificate. VerifyConnection runs in every
		// handshake, before anything is sent.
		t.InsecureSkipVerify = true
		t.VerifyConnection = func(s tls.ConnectionState) error {
			if got := sha256.Sum256(s.PeerCertificates[0].Raw); got != want {
				return &CertificateError{Host: host, Want: want, Got: got}
			}
			return nil
		}
	case c.CAFile != "":
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the CA: %s has no PEM certificate", c.CAFile)
		}
	}
	return t, nil
}

// Certificate is the certificate that a server presents.
type Certificate struct {
	SHA256    [32]byte // of the certificate in DER
	Subject   string
	Issuer    string // "" if it is self-signed
	NotBefore time.Time
	NotAfter  time.Time
	Names     []string // host names and addresses that it is valid for
	Verified  error    // nil: it is valid for this name by the system's CAs
}

// Presented does a TLS handshake with the server at u and returns its certificate, trusted or not. It sends no
// request and no credential. The port is 443 if u has none.
func Presented(ctx context.Context, u *url.URL) (Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+handshakeTimeout)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = "443"
	}
	// Nothing is trusted by this: the certificate is only read, for a person to compare.
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout},
		Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return Certificate{}, fmt.Errorf("reading the certificate of %s: %w", u.Host, requestError(ctx, err))
	}
	defer conn.Close()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	leaf := chain[0]
	c := Certificate{
		SHA256: sha256.Sum256(leaf.Raw), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Names: leaf.DNSNames,
	}
	if leaf.CheckSignatureFrom(leaf) == nil || c.Issuer == c.Subject {
		c.Issuer = ""
	}
	for _, ip := range leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	between := x509.NewCertPool()
	for _, other := range chain[1:] {
		between.AddCert(other)
	}
	_, c.Verified = leaf.Verify(x509.VerifyOptions{DNSName: u.Hostname(), Intermediates: between})
	return c, nil
}

// presentedText is the fingerprint of the certificate that was not verified, so that it can be compared and pinned.
func presentedText(e *tls.CertificateVerificationError) string {
	if len(e.UnverifiedCertificates) == 0 {
		return ""
	}
	return "; its SHA-256 is " + Fingerprint(sha256.Sum256(e.UnverifiedCertificates[0].Raw))
}
