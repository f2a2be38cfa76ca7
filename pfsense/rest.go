package pfsense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"pxeagent/agent/dhcp/remote"
)

// The endpoint of the REST package that runs a command as root, and the privilege that it requires.
const (
	promptPath      = "/api/v2/diagnostics/command_prompt"
	promptPrivilege = "api-v2-diagnostics-command-prompt-post"
)

const cleanUpTimeout = 3 * time.Second

// restTransport runs programs through the REST package's command prompt. It accepts 1,024 characters at a time, so a
// program is uploaded in chunks.
type restTransport struct {
	*session
	place uploadTarget
}

func (r *restTransport) String() string { return "REST at " + r.Client.String() }

// run uploads p, has it checked and run, and returns its result. If a chunk fails, nothing of p is run.
func (r *restTransport) run(ctx context.Context, p program) (json.RawMessage, error) {
	cred, err := r.logins.forREST()
	if err != nil {
		return nil, err
	}
	upload, err := newUpload(p, r.place)
	if err != nil {
		return nil, err
	}
	var result json.RawMessage
	err = r.Guard(cred, func() error {
		for i, command := range upload.chunks {
			out, err := r.prompt(ctx, command, cred, chunkTimeout)
			if err == nil && (out.Code != 0 || strings.TrimSpace(out.Output) != "") {
				err = fmt.Errorf("%w: output %s, exit code %d", ErrProgram, cred.Quoted(out.Output), out.Code)
			}
			if err != nil {
				r.cleanUp(ctx, upload, cred, i, err)
				return fmt.Errorf("sending the %s program, chunk %d of %d: %w", p.name, i+1, len(upload.chunks), err)
			}
		}
		out, err := r.prompt(ctx, upload.last, cred, programTimeout)
		if err == nil {
			result, err = upload.result(out, cred)
		} else {
			r.cleanUp(ctx, upload, cred, len(upload.chunks), err)
		}
		if err != nil {
			return fmt.Errorf("running the %s program: %w", p.name, err)
		}
		return nil
	})
	return result, err
}

// cleanUp removes a file that may exist after command i failed. If that fails, the next run does it. If the first
// command was answered with an error, it created none; a login that was rejected or lacks the privilege is not used
// again.
func (r *restTransport) cleanUp(ctx context.Context, p upload, cred remote.Login, i int, cause error) {
	unanswered := remote.IsOutage(cause) || errors.Is(cause, context.Canceled)
	if !unanswered && (i == 0 || !errors.Is(cause, ErrProgram)) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	_, _ = r.prompt(ctx, p.remove, cred, cleanUpTimeout)
}

// output is the result of a command.
type output struct {
	Output string `json:"output"` // standard output and standard error
	Code   int    `json:"result_code"`
}

func (r *restTransport) prompt(ctx context.Context, command string, cred remote.Login, within time.Duration) (output,
	error) {
	body, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		return output{}, err
	}
	a, err := r.post(ctx, promptPath, "application/json", "application/json", body, cred, within)
	if err != nil {
		return output{}, err
	}
	data, err := readEnvelope(a, cred)
	if err != nil {
		return output{}, err
	}
	var out *output
	if err := json.Unmarshal(data, &out); err != nil || out == nil {
		return output{}, fmt.Errorf("%w: the REST package's answer has no output", ErrNotPfSense)
	}
	return *out, nil
}

// envelope is around every answer of the REST package.
type envelope struct {
	Code     int             `json:"code"`
	Response string          `json:"response_id"`
	Message  string          `json:"message"`
	Data     json.RawMessage `json:"data"`
}

// readEnvelope is the data of an answer, or the error in its place.
func readEnvelope(a remote.Reply, cred remote.Login) (json.RawMessage, error) {
	var e envelope
	if err := json.Unmarshal(a.Body, &e); err != nil || e.Response == "" {
		return nil, noEnvelope(a, cred)
	}
	said := fmt.Sprintf("%d %s, %s", e.Code, plainID(e.Response), cred.Quoted(e.Message))
	switch {
	case a.Status == http.StatusOK && e.Code == http.StatusOK:
		return e.Data, nil
	case a.Status == http.StatusUnauthorized:
		return nil, fmt.Errorf("%w: %s by REST: %s", ErrCredential, cred, said)
	case e.Response == "ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL", e.Response == "ENDPOINT_INTERFACE_NOT_ALLOWED":
		return nil, fmt.Errorf("%w: %s", ErrNotAllowed, said)
	case a.Status == http.StatusForbidden:
		return nil, fmt.Errorf("%w: %s needs %s: %s", ErrPrivilege, cred, promptPrivilege, said)
	case e.Response == "ENDPOINT_METHOD_NOT_ALLOWED_IN_READ_ONLY_MODE":
		return nil, fmt.Errorf("%w: %s", ErrReadOnly, said)
	case a.Status == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("%w: %s", ErrUnavailable, said)
	}
	return nil, fmt.Errorf("%w: the REST package answered %s", ErrProgram, said)
}

// noEnvelope is the error for an answer that did not come from the REST package.
func noEnvelope(a remote.Reply, cred remote.Login) error {
	switch {
	case a.Status == http.StatusNotFound:
		return fmt.Errorf("%w: 404 without JSON at %s", ErrNoPackage, promptPath)
	case a.Status == http.StatusOK && len(strings.TrimSpace(string(a.Body))) == 0:
		return fmt.Errorf("%w: empty answer, as after a command whose output is not UTF-8", ErrProgram)
	}
	return unexpectedReply(a, cred, "REST")
}

// unexpectedReply is the error for an answer of neither API: by its status, or that this is not a pfSense.
func unexpectedReply(a remote.Reply, cred remote.Login, way string) error {
	switch {
	case a.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w: %s by %s: 401", ErrCredential, cred, way)
	case a.Status == http.StatusForbidden:
		return fmt.Errorf("%w: 403, %s", ErrNotAllowed, cred.Quoted(string(a.Body)))
	case a.Status == http.StatusBadGateway, a.Status == http.StatusServiceUnavailable,
		a.Status == http.StatusGatewayTimeout:
		return fmt.Errorf("%w: it answered %d", ErrGateway, a.Status)
	case a.Status >= 300 && a.Status < 400:
		return fmt.Errorf("%w: it redirected to %s", ErrNotPfSense, cred.Quoted(a.Location))
	}
	return fmt.Errorf("%w: it answered %d, %s", ErrNotPfSense, a.Status, cred.Quoted(string(a.Body)))
}

// plainID is the package's response ID, if it looks like one.
func plainID(s string) string {
	if len(s) > 80 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
		return "(unknown)"
	}
	return s
}
