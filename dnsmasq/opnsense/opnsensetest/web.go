package opnsensetest

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"pxeagent/dnsmasq/dnsmasqtest"
	"sync"
	"time"
)

// name is the one that a new firewall has.
const name = "OPNsense.internal"

// web is the firewall's web server, which ends and starts again with it.
type web struct {
	handler http.Handler
	cert    tls.Certificate
	addr    string

	mu      sync.Mutex
	server  *http.Server // nil: the firewall is off
	running sync.WaitGroup
}

func newWeb(h http.Handler, listen string) (*web, error) {
	cert, err := dnsmasqtest.Certificate(name, 397)
	if err != nil {
		return nil, err
	}
	w := &web{handler: h, cert: cert, addr: listen}
	return w, w.on()
}

func (w *web) fingerprint() [32]byte { return sha256.Sum256(w.cert.Certificate[0]) }

// on serves at the address where it served before, if it did.
func (w *web) on() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		return nil
	}
	addr := w.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
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

// off cuts all connections and accepts no more. A request that runs is carried out, and its answer lost.
func (w *web) off() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		_ = w.server.Close()
		w.server = nil
	}
}

func (w *web) close() {
	w.off()
	w.running.Wait()
}

// Transport reaches the firewall over TLS and accepts its certificate only.
func (f *Firewall) Transport() *http.Transport {
	pool := x509.NewCertPool()
	if c, err := x509.ParseCertificate(f.web.cert.Certificate[0]); err == nil {
		pool.AddCert(c)
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name,
		MinVersion: tls.VersionTLS12}}
}
