package pfsense

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/kolo/xmlrpc"

	"pxeagent/agent/dhcp/remote"
)

// The API that every pfSense has, and the privilege that it requires.
const (
	xmlrpcPath      = "/xmlrpc.php"
	xmlrpcPrivilege = "system-xmlrpc-ha-sync"
)

// Faults of pfSense's XML-RPC. They come with HTTP 200.
const (
	faultLogin     = -1
	faultPrivilege = -2
	faultMethod    = -32601
)

// xmlrpcTransport runs programs through pfSense's own XML-RPC, which accepts them whole.
type xmlrpcTransport struct{ *session }

func (x *xmlrpcTransport) String() string { return "XML-RPC at " + x.Client.String() }

func (x *xmlrpcTransport) run(ctx context.Context, p program) (json.RawMessage, error) {
	cred, err := x.logins.forUser()
	if err != nil {
		return nil, err
	}
	call, err := xmlrpc.EncodeMethodCall("pfsense.exec_php", p.code)
	if err != nil {
		return nil, fmt.Errorf("encoding the %s program: %w", p.name, err)
	}
	var result json.RawMessage
	err = x.Guard(cred, func() error {
		a, err := x.post(ctx, xmlrpcPath, "text/xml", "text/xml", call, cred, programTimeout)
		if err == nil {
			result, err = readResponse(a, cred)
		}
		if err != nil {
			return fmt.Errorf("running the %s program: %w", p.name, err)
		}
		return nil
	})
	return result, err
}

// readResponse is the program's result, or the error in its place. Text that PHP printed before the document is
// skipped.
func readResponse(a remote.Reply, cred remote.Login) (json.RawMessage, error) {
	at := bytes.LastIndex(a.Body, []byte("<?xml"))
	switch {
	case a.Status == http.StatusInternalServerError:
		// A fatal PHP error. The body is its message, or empty.
		return nil, fmt.Errorf("%w: 500, %s", ErrProgram, cred.Quoted(string(a.Body)))
	case a.Status != http.StatusOK, at < 0, !bytes.Contains(a.Body[at:], []byte("<methodResponse")):
		return nil, unexpectedReply(a, cred, "XML-RPC")
	}
	answer := xmlrpc.Response(a.Body[at:])
	var fault xmlrpc.FaultError
	switch err := answer.Err(); {
	case errors.As(err, &fault):
		return nil, faultError(fault, cred)
	case err != nil:
		return nil, fmt.Errorf("%w: parsing its XML-RPC answer: %w", ErrNotPfSense, err)
	}
	var text string
	if err := answer.Unmarshal(&text); err != nil {
		// exec_php answers true if the program returned nothing.
		return nil, fmt.Errorf("%w: it returned no result", ErrProgram)
	}
	if !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("%w: it returned %s", ErrProgram, cred.Quoted(text))
	}
	return json.RawMessage(text), nil
}

func faultError(f xmlrpc.FaultError, cred remote.Login) error {
	said := fmt.Sprintf("fault %d, %s", f.Code, cred.Quoted(f.String))
	switch f.Code {
	case faultLogin:
		return fmt.Errorf("%w: %s by XML-RPC: %s", ErrCredential, cred, said)
	case faultPrivilege:
		return fmt.Errorf("%w: %s needs %s: %s; the firewall counts it as a failed login", ErrPrivilege, cred,
			xmlrpcPrivilege, said)
	case faultMethod:
		return fmt.Errorf("%w: its XML-RPC has no pfsense.exec_php: %s", ErrNotPfSense, said)
	}
	return fmt.Errorf("%w: %s", ErrProgram, said)
}
