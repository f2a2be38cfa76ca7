package pfsense

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp/remote"
)

// selfSigned is a certificate like pfSense's: self-signed, with a name that does not resolve and no address.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "pfSense-6561a2b3",
			Organization: []string{"pfSense GUI default Self-Signed Certificate"}},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour), // and run out
		DNSNames: []string{"pfSense-6561a2b3"},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A pinned certificate is accepted whatever else is wrong with it, and no other is.
func TestPinned(t *testing.T) {
	first, second := selfSigned(t), selfSigned(t)
	now := &first
	served := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		w.Header().Set("Connection", "close")
		transcript(t, "oneshot-isc-execphp-1-set")(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*now}}, nil
	}}
	server.StartTLS()
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := remote.Presented(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(seen.Subject, "CN=pfSense-6561a2b3") || seen.Issuer != "" || len(seen.Names) != 1 ||
		seen.Verified == nil || !seen.NotAfter.Before(time.Now()) {
		t.Errorf("%+v", seen)
	}
	if served != 0 {
		t.Error("looking at the certificate sent a request")
	}
	r := mustDial(t, Config{Config: remote.Config{URL: u, TLSSHA256: &seen.SHA256}, Transport: "xmlrpc",
		User: testUser, Password: text(testPassword)})
	if _, err := r.run(t.Context(), read); err != nil || served != 1 {
		t.Fatalf("%v, %d requests", err, served)
	}

	now = &second
	_, err = r.run(t.Context(), read)
	changed, fail := remote.Presented(t.Context(), u)
	if fail != nil {
		t.Fatal(fail)
	}
	var c *remote.CertificateError
	if !errors.As(err, &c) || !errors.Is(err, ErrTLS) || c.Want != seen.SHA256 || c.Got != changed.SHA256 ||
		!strings.Contains(err.Error(), remote.Fingerprint(seen.SHA256)) || !strings.Contains(err.Error(),
		remote.Fingerprint(changed.SHA256)) {
		t.Errorf("%v", err)
	}
	if served != 1 {
		t.Error("the request was sent to a changed certificate")
	}
	if f := remote.Fingerprint(seen.SHA256); len(f) != 95 || strings.ToUpper(f) != f || f[2] != ':' {
		t.Errorf("fingerprint %q", f)
	}
}

func TestCAs(t *testing.T) {
	b := newRecorder(t, transcript(t, "oneshot-isc-execphp-1-set"))
	c := b.config(t, "xmlrpc")
	c.TLSSHA256 = nil
	_, err := mustDial(t, c).run(t.Context(), read)
	if !errors.Is(err, ErrTLS) || !strings.Contains(fmt.Sprint(err), remote.Fingerprint(*b.fingerprint())) ||
		len(b.requests()) != 0 {
		t.Errorf("system's CAs: %v, %d requests", err, len(b.requests()))
	}

	c.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(c.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mustDial(t, c).run(t.Context(), read); err != nil {
		t.Errorf("its own CA: %v", err)
	}
	// The certificate is for 127.0.0.1 and example.com, and not for this name.
	c.URL = &url.URL{Scheme: "https", Host: "localhost:" + c.URL.Port()}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrTLS) {
		t.Errorf("another name: %v", err)
	}

	if err := os.WriteFile(c.CAFile, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{c.CAFile, c.CAFile + ".none"} {
		c.CAFile = file
		if _, err := dial(c); err == nil || !strings.Contains(err.Error(), "reading the CA") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What is there speaks no TLS, or speaks it too oddly.
func TestNoTLS(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	u, err := url.Parse(strings.Replace(plain.URL, "http:", "https:", 1))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Config: remote.Config{URL: u, TLSSHA256: &[32]byte{}}, Transport: "rest", User: testUser,
		Password: text(testPassword)}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrNotPfSense) {
		t.Errorf("plain HTTP: %v", err)
	}
	if _, err := remote.Presented(t.Context(), u); !errors.Is(err, ErrNotPfSense) {
		t.Errorf("plain HTTP: %v", err)
	}

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	if c.URL, err = url.Parse(old.URL); err != nil {
		t.Fatal(err)
	}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrTLS) {
		t.Errorf("TLS 1.1: %v", err)
	}

	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	c.URL = &url.URL{Scheme: "https", Host: gone.Addr().String()}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no listener: %v", err)
	}
	if _, err := remote.Presented(t.Context(), c.URL); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no listener: %v", err)
	}
}
