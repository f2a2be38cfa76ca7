package dnsmasqtest

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Web is the web server of a stand-in appliance: HTTPS on loopback, with a certificate that the appliance made for
// itself. Its methods may be called while it serves.
type Web struct {
	handler http.Handler
	name    string // in the certificate
	days    int    // that a certificate is valid
	addr    string

	mu      sync.Mutex
	cert    tls.Certificate
	server  *http.Server // nil: it is off
	running sync.WaitGroup
}

// Serve starts one with a certificate for that name and so many days. It listens on a free port of 127.0.0.1, or on
// the host and port listen. It must be closed.
func Serve(h http.Handler, listen, name string, days int) (*Web, error) {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	w := &Web{handler: h, name: name, days: days, addr: listen}
	return w, w.RenewCertificate()
}

// URL is https, host and port.
func (w *Web) URL() *url.URL {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &url.URL{Scheme: "https", Host: w.addr}
}

// Fingerprint is the SHA-256 of its certificate.
func (w *Web) Fingerprint() [32]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sha256.Sum256(w.cert.Certificate[0])
}

// Transport accepts its certificate only.
func (w *Web) Transport() *http.Transport {
	w.mu.Lock()
	defer w.mu.Unlock()
	pool := x509.NewCertPool()
	if c, err := x509.ParseCertificate(w.cert.Certificate[0]); err == nil {
		pool.AddCert(c)
	}
	trust := &tls.Config{RootCAs: pool, ServerName: w.name, MinVersion: tls.VersionTLS12}
	return &http.Transport{TLSClientConfig: trust}
}

// RenewCertificate makes a new key and certificate, and serves with it.
func (w *Web) RenewCertificate() error {
	cert, err := certificate(w.name, w.days)
	if err != nil {
		return err
	}
	w.PowerOff()
	w.mu.Lock()
	w.cert = cert
	w.mu.Unlock()
	return w.PowerOn()
}

// PowerOn serves again at the same address after PowerOff.
func (w *Web) PowerOn() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", w.addr)
	if err != nil {
		return fmt.Errorf("starting the web server: %w", err)
	}
	w.addr = l.Addr().String()
	server := &http.Server{
		Handler: w.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{w.cert}, MinVersion: tls.VersionTLS12},
	}
	w.server = server
	w.running.Go(func() { _ = server.ServeTLS(l, "", "") })
	return nil
}

// PowerOff cuts all connections and accepts no more. A request that runs is carried out, and its answer lost. It may
// be called by the handler.
func (w *Web) PowerOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		_ = w.server.Close()
		w.server = nil
	}
}

// Close ends it.
func (w *Web) Close() {
	w.PowerOff()
	w.running.Wait()
}
