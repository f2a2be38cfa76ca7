package secureboot

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/foxboron/go-uefi/efi/signature"
	"github.com/foxboron/go-uefi/efi/util"
	"github.com/google/renameio/v2"
)

// Errors of ReadKeys and MakeKeys. Each names the file.
var (
	ErrNoKeys   = errors.New("no key to sign with")
	ErrKeys     = errors.New("key and certificate cannot be used")
	ErrExpired  = errors.New("the certificate is not valid now")
	ErrExposed  = errors.New("the key can be read by others")
	ErrKeysKept = errors.New("there are keys already")
)

// Names of the files that a set of keys is kept in: the signature database's own key (db), and for a platform of one's
// own the platform key (PK) and the key exchange key (KEK) (UEFI 2.10 section 32.3).
const (
	DB  = "db"
	PK  = "PK"
	KEK = "KEK"
)

// validity is how long a certificate that MakeKeys makes is valid. Firmware does not look; this program does, so that
// what it signs is known to be meant.
const validity = 10 * 365 * 24 * time.Hour

// Keys sign programs.
type Keys struct {
	Cert   *x509.Certificate
	signer crypto.Signer
}

// ReadKeys reads NAME.key and NAME.crt of dir, both PEM. A key that others can read is refused, as is a pair that does
// not belong together, and a certificate that is not valid at now.
func ReadKeys(dir, name string, now time.Time) (Keys, error) {
	keyFile, certFile := filepath.Join(dir, name+".key"), filepath.Join(dir, name+".crt")
	key, err := readKey(keyFile)
	if err != nil {
		return Keys{}, err
	}
	cert, err := readCert(certFile)
	if err != nil {
		return Keys{}, err
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !public.Equal(cert.PublicKey):
		return Keys{}, fmt.Errorf("%w: %s is not the certificate of %s", ErrKeys, certFile, keyFile)
	case now.Before(cert.NotBefore):
		return Keys{}, fmt.Errorf("%w: %s begins at %s", ErrExpired, certFile, cert.NotBefore.Format(time.RFC3339))
	case now.After(cert.NotAfter):
		return Keys{}, fmt.Errorf("%w: %s ended at %s", ErrExpired, certFile, cert.NotAfter.Format(time.RFC3339))
	}
	return Keys{cert, key}, nil
}

func readKey(file string) (crypto.Signer, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNoKeys, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o, want 0600", ErrExposed, file, info.Mode().Perm())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: %s is not in PEM", ErrKeys, file)
	}
	var key any
	if key, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if err != nil { // its text may quote what was read
		return nil, fmt.Errorf("%w: %s holds no private key in PKCS #8 or PKCS #1 without a password", ErrKeys, file)
	}
	signer, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s is no RSA key, which is what firmware verifies with", ErrKeys, file)
	}
	return signer, nil
}

func readCert(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: the key is there without its certificate: %w", ErrKeys, err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: %s is not in PEM", ErrKeys, file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeys, file, err)
	}
	return cert, nil
}

// MakeKeys makes a key for each of the names, with its certificate in PEM, in DER and as an EFI signature list, in dir,
// which it makes. It returns the files' paths. Keys that are there already are never replaced.
func MakeKeys(dir, site string, now time.Time, names ...string) ([]string, error) {
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name+".key")); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrKeysKept, filepath.Join(dir, name+".key"))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	owner, err := newGUID()
	if err != nil {
		return nil, err
	}
	var made []string
	for _, name := range names {
		key, der, err := makePair(fmt.Sprintf("%s Secure Boot %s", site, name), now)
		if err != nil {
			return made, fmt.Errorf("making the key %s: %w", name, err)
		}
		list := signature.NewSignatureDatabase()
		if err := list.Append(signature.CERT_X509_GUID, owner, der); err != nil {
			return made, err
		}
		// The key comes last: with it the set is whole.
		for _, f := range []struct {
			suffix string
			text   []byte
		}{
			{".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, {".der", der}, {".esl", list.Bytes()},
			{".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})},
		} {
			file := filepath.Join(dir, name+f.suffix)
			if err := renameio.WriteFile(file, f.text, 0o600, renameio.IgnoreUmask()); err != nil {
				return made, fmt.Errorf("writing %s: %w", file, err)
			}
			made = append(made, file)
		}
	}
	return made, nil
}

func makePair(name string, now time.Time) (key, der []byte, err error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048) // what all firmware verifies
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(validity), SignatureAlgorithm: x509.SHA256WithRSA, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, BasicConstraintsValid: true,
	}
	if der, err = x509.CreateCertificate(rand.Reader, &template, &template, pair.Public(), pair); err != nil {
		return nil, nil, err
	}
	key, err = x509.MarshalPKCS8PrivateKey(pair)
	return key, der, err
}

// newGUID is the owner of the entries in signature lists: any GUID that is nobody else's (RFC 9562 section 5.4).
func newGUID() (util.EFIGUID, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return util.EFIGUID{}, err
	}
	b[7], b[8] = b[7]&0x0f|0x40, b[8]&0x3f|0x80 // the first three fields are little endian
	return *util.BytesToGUID(b[:]), nil
}
