package pfsense

import (
	"errors"

	"pxeagent/agent/dhcp/remote"
)

// Errors of the connection. Each one that this package returns wraps exactly one of these; what the firewall itself
// answered is quoted in the text. pfSense answers the same for a bad, a missing and a disabled login, and counts each
// towards blocking this machine's address.
var (
	ErrCredential   = remote.ErrCredential
	ErrNotSent      = remote.ErrNotSent
	ErrNoCredential = remote.ErrNoCredential
	ErrPrivilege    = remote.ErrPrivilege
	ErrGateway      = remote.ErrGateway
	ErrTLS          = remote.ErrTLS
	ErrTimeout      = remote.ErrTimeout
	ErrUnreachable  = remote.ErrUnreachable
	ErrNotPfSense   = remote.ErrOther

	// ErrNotAllowed: this machine's address is not on the access list of the REST package.
	ErrNotAllowed = errors.New("the firewall's REST access list does not admit this machine")
	// ErrNoPackage: the REST package is not installed; its address answers with a web page that says so.
	ErrNoPackage = errors.New("the REST package is not installed on the firewall")
	// ErrReadOnly: the REST package is in read-only mode.
	ErrReadOnly = errors.New("the REST package is in read-only mode")
	// ErrUnavailable: the REST API is switched off.
	ErrUnavailable = errors.New("the firewall's REST API is switched off")
	// ErrProgram: the firewall answered, but did not complete the program.
	ErrProgram = errors.New("the firewall did not complete the program")
)
