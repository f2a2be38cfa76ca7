package pfsense

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of the connection. Each one that this package returns wraps exactly one of these; what the firewall itself
// answered is quoted in the text.
var (
	// ErrCredential: the firewall rejected the user and password, or the API key. It answers the same for a bad, a missing
	// and a disabled one, and counts each towards blocking this machine's address.
	ErrCredential = errors.New("the firewall rejected the login")
	// ErrNotSent: the credential was rejected before and has not changed, so it was not sent.
	ErrNotSent = errors.New("the login was rejected before and is not retried")
	// ErrNoCredential: no password or API key is configured.
	ErrNoCredential = errors.New("no credentials for the firewall")
	// ErrPrivilege: the login is valid, but the user lacks a privilege. The text names it.
	ErrPrivilege = errors.New("missing privilege on the firewall")
	// ErrNotAllowed: this machine's address is not on the access list of the REST package.
	ErrNotAllowed = errors.New("the firewall's REST access list does not admit this machine")
	// ErrNoPackage: the REST package is not installed; its address answers with a web page that says so.
	ErrNoPackage = errors.New("the REST package is not installed on the firewall")
	// ErrReadOnly: the REST package is in read-only mode.
	ErrReadOnly = errors.New("the REST package is in read-only mode")
	// ErrUnavailable: the REST API is switched off.
	ErrUnavailable = errors.New("the firewall's REST API is switched off")
	// ErrGateway: a web server answered 502, 503 or 504, and not PHP behind it. A change may have been made.
	ErrGateway = errors.New("the firewall's web server got no answer from PHP")
	// ErrTLS: the certificate is not trusted, or the TLS handshake failed. Nothing was sent.
	ErrTLS = errors.New("the firewall's certificate is not trusted")
	// ErrTimeout: no answer in time. A change may have been made.
	ErrTimeout = errors.New("the firewall did not answer in time")
	// ErrUnreachable: no connection, or it was closed.
	ErrUnreachable = errors.New("the firewall is unreachable")
	// ErrNotPfSense: the server at that address is not a pfSense firewall.
	ErrNotPfSense = errors.New("the server does not answer like a pfSense firewall")
	// ErrProgram: the firewall answered, but did not complete the program.
	ErrProgram = errors.New("the firewall did not complete the program")
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

// maxQuoted is how much of a firewall's answer is shown, in bytes.
const maxQuoted = 200

// quoted is a firewall's answer for one line of text: shortened, quoted, and without the secret, which a PHP stack
// trace may contain (in full, or its first 15 bytes).
func quoted(said string, cred credential) string {
	// Before and after: a password may contain two spaces in a row, and an answer may wrap it over two lines.
	said = cred.hide(strings.Join(strings.Fields(cred.hide(said)), " "))
	if len(said) > maxQuoted {
		said = strings.ToValidUTF8(said[:maxQuoted], "") + "…"
	}
	return fmt.Sprintf("%q", said)
}
