package remote

import "errors"

// Errors of the connection. What the server itself answered is quoted in the text.
var (
	// ErrCredential: the server rejected the user and password, or the API key.
	ErrCredential = errors.New("the DHCP server rejected the login")
	// ErrNotSent: the login was rejected before and has not changed, so it was not sent.
	ErrNotSent = errors.New("the login was rejected before and is not retried")
	// ErrNoCredential: no password or API key is configured.
	ErrNoCredential = errors.New("no credentials are configured")
	// ErrPrivilege: the login is valid, but the user lacks a privilege. The text names it.
	ErrPrivilege = errors.New("a privilege is missing")
	// ErrGateway: a web server answered 502, 503 or 504, and not the program behind it. A change may have been made.
	ErrGateway = errors.New("the web server got no answer from the program behind it")
	// ErrTLS: the certificate is not trusted, or the TLS handshake failed. Nothing was sent.
	ErrTLS = errors.New("the certificate is not trusted")
	// ErrTimeout: no answer in time. A change may have been made.
	ErrTimeout = errors.New("no answer in time")
	// ErrUnreachable: no connection, or it was closed. A change may have been made.
	ErrUnreachable = errors.New("the server is unreachable")
	// ErrOther: what answers at that address is another product.
	ErrOther = errors.New("another product answers at that address")
)

// IsOutage reports whether err leaves open what the server did.
func IsOutage(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrGateway)
}
