package pfsense

import (
	"errors"
	"fmt"
	"strings"
)

// Why a firewall could not be worked with. Each error of this package's network side wraps exactly one of them; what the firewall
// itself said is quoted in the text.
var (
	// ErrCredential: the firewall refused the user and password, or the API key. It says the same of a bad, a missing and a
	// disabled one, and counts each towards shutting this machine's address out.
	ErrCredential = errors.New("the firewall refused the login")
	// ErrNotSent: the credential was refused before and is the same still, so it was not sent.
	ErrNotSent = errors.New("the login was refused before and is not tried again")
	// ErrNoCredential: there is nothing to log in with.
	ErrNoCredential = errors.New("nothing to log in with")
	// ErrPrivilege: the login is right, and that user may not do this. The text names the privilege.
	ErrPrivilege = errors.New("a privilege is missing on the firewall")
	// errCounted comes with an ErrPrivilege that the firewall counts as a failed login, as its XML-RPC does.
	errCounted = errors.New("the firewall counts it as a failed login")
	// ErrNotAllowed: the access list of the REST package does not have this machine's address.
	ErrNotAllowed = errors.New("the firewall's REST access list does not admit this machine")
	// ErrNoPackage: the REST package is not installed; its address answers with a web page that says so.
	ErrNoPackage = errors.New("the REST package is not installed on the firewall")
	// ErrReadOnly: the REST package is in read-only mode.
	ErrReadOnly = errors.New("the REST package is in read-only mode")
	// ErrUnavailable: the REST API is switched off, or the firewall's web server has nobody to answer.
	ErrUnavailable = errors.New("the firewall's interface is not available")
	// ErrTLS: the certificate is not one that is trusted, or no TLS session came about. Nothing was sent.
	ErrTLS = errors.New("the firewall's certificate is not trusted")
	// ErrTimeout: no answer in time. A change may have been carried out.
	ErrTimeout = errors.New("the firewall did not answer in time")
	// ErrUnreachable: no connection, or it was cut.
	ErrUnreachable = errors.New("the firewall cannot be reached")
	// ErrNotPfSense: what answers there does not answer as a pfSense does.
	ErrNotPfSense = errors.New("this does not answer as a pfSense does")
	// ErrProgram: the firewall answered and did not run the program to its end.
	ErrProgram = errors.New("the firewall did not run the program")
)

// CertificateError is a certificate that is not the pinned one.
type CertificateError struct {
	Host      string
	Want, Got [32]byte // SHA-256 of the certificates in DER
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("the certificate of %s is not the pinned one: it has SHA-256 %s, want %s", e.Host, Fingerprint(e.Got), Fingerprint(e.Want))
}

// Is makes it ErrTLS.
func (e *CertificateError) Is(target error) bool { return target == ErrTLS }

// maxQuoted is how much of a firewall's own words is shown.
const maxQuoted = 200

// quoted is what the firewall said, fit for a line of text: cut, quoted, and without the secret, which a stack trace of PHP may hold
// (whole, or its first 15 bytes).
func quoted(said string, cred credential) string {
	// Before and after: a password may have two blanks in a row, and an answer may break it over two lines.
	said = cred.hide(strings.Join(strings.Fields(cred.hide(said)), " "))
	if len(said) > maxQuoted {
		said = strings.ToValidUTF8(said[:maxQuoted], "") + "…"
	}
	return fmt.Sprintf("%q", said)
}
