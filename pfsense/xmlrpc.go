package pfsense

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/kolo/xmlrpc"
)

// What every pfSense has, and the privilege that it takes.
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

// stock runs programs through pfSense's own XML-RPC, which takes them whole.
type stock struct{ *session }

func (x *stock) String() string { return "XML-RPC at " + x.url.String() }

func (x *stock) run(ctx context.Context, p program) (json.RawMessage, error) {
	cred, err := x.logins.forUser()
	if err != nil {
		return nil, err
	}
	call, err := xmlrpc.EncodeMethodCall("pfsense.exec_php", p.code)
	if err != nil {
		return nil, fmt.Errorf("encoding the %s program: %w", p.name, err)
	}
	var result json.RawMessage
	err = x.guard(cred, func() error {
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

// readResponse is the program's result, or why there is none. What PHP printed before the document is passed over.
func readResponse(a reply, cred credential) (json.RawMessage, error) {
	at := bytes.LastIndex(a.body, []byte("<?xml"))
	switch {
	case a.status == http.StatusInternalServerError:
		// A mistake that ends PHP at once. The body is its message, or nothing.
		return nil, fmt.Errorf("%w to its end: 500, %s", ErrProgram, quoted(string(a.body), cred))
	case a.status != http.StatusOK, at < 0, !bytes.Contains(a.body[at:], []byte("<methodResponse")):
		return nil, strange(a, cred, "XML-RPC")
	}
	answer := xmlrpc.Response(a.body[at:])
	var fault xmlrpc.FaultError
	switch err := answer.Err(); {
	case errors.As(err, &fault):
		return nil, faultError(fault, cred)
	case err != nil:
		return nil, fmt.Errorf("%w: its XML-RPC answer cannot be understood: %w", ErrNotPfSense, err)
	}
	var text string
	if err := answer.Unmarshal(&text); err != nil {
		// exec_php answers true where the program left nothing.
		return nil, fmt.Errorf("%w to its end: it left no result", ErrProgram)
	}
	if !json.Valid([]byte(text)) {
		return nil, fmt.Errorf("%w to its end: it left %s", ErrProgram, quoted(text, cred))
	}
	return json.RawMessage(text), nil
}

func faultError(f xmlrpc.FaultError, cred credential) error {
	said := fmt.Sprintf("fault %d, %s", f.Code, quoted(f.String, cred))
	switch f.Code {
	case faultLogin:
		return fmt.Errorf("%w of %s by XML-RPC: %s", ErrCredential, cred, said)
	case faultPrivilege:
		// It is logged as a failed login is, and counts as one.
		return fmt.Errorf("%w: %s needs %s: %s; %w", ErrPrivilege, cred, xmlrpcPrivilege, said, errCounted)
	case faultMethod:
		return fmt.Errorf("%w: its XML-RPC has no pfsense.exec_php: %s", ErrNotPfSense, said)
	}
	return fmt.Errorf("%w to its end: %s", ErrProgram, said)
}
