package pfsensetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"time"
)

// certificate is like one that pfSense creates for itself: self-signed, for a name that nobody uses, without an
// address.
type certificate struct{ tls.Certificate }

func newCertificate() (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	var id [7]byte
	rand.Read(id[:])
	name := "pfSense-" + hex.EncodeToString(id[:])[:13]
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{Organization: []string{"pfSense GUI default Self-Signed Certificate"}, CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(1, 1, 0),
		BasicConstraintsValid: true, IsCA: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return certificate{}, err
	}
	return certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// tlsConfig presents the current certificate. httptest puts its own into Certificates, so that field is not used.
func (f *Firewall) tlsConfig() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return &tls.Config{Certificates: []tls.Certificate{f.cert.Certificate}, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"}}, nil
	}}
}

// Fingerprint is the SHA-256 of the certificate.
func (f *Firewall) Fingerprint() [32]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sha256.Sum256(f.cert.Certificate.Certificate[0])
}

// PEM is the certificate, which is self-signed and so its own CA.
func (f *Firewall) PEM() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.cert.Certificate.Certificate[0]})
}

// ChangeCertificate makes a new certificate, as an update of the firewall or a man in the middle does, and closes every
// connection.
func (f *Firewall) ChangeCertificate() error {
	c, err := newCertificate()
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.cert = c
	f.mu.Unlock()
	f.server.CloseClientConnections()
	return nil
}
