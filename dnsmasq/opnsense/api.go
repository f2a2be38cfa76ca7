package opnsense

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// requestTimeout is for one request. A restart is waited for by the firewall before it answers.
const requestTimeout = 30 * time.Second

// session is work at one firewall with one key. OPNsense has no logins: each request carries the key.
type session struct {
	*Server
	login remote.Login // without a user: a key's name is shown nowhere
	key   string
}

// with does work as the key's user. A key that is rejected is recorded.
func (s *Server) with(ctx context.Context, work func(*session) error) error {
	if s.cfg.Credential == nil {
		return fmt.Errorf("%w for OPNsense at %s", remote.ErrNoCredential, s.cfg.URL.Host)
	}
	text, err := s.cfg.Credential()
	switch {
	case err != nil:
		return err
	case text == "":
		return fmt.Errorf("%w for OPNsense at %s", remote.ErrNoCredential, s.cfg.URL.Host)
	}
	key, secret, err := ParseKey(text)
	if err != nil {
		return err
	}
	h := &session{Server: s, key: key, login: remote.Login{Secret: dhcp.NewSecret(secret)}}
	err = s.client.Guard(h.login, func() error { return work(h) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("OPNsense at %s: %w", s.cfg.URL.Host, err)
	}
	return err
}

// quoted is what the firewall answered for one line of text, without the key and its secret.
func (h *session) quoted(said string) string {
	pair := base64.StdEncoding.EncodeToString([]byte(h.key + ":" + h.login.Secret.Reveal()))
	return h.login.Quoted(strings.NewReplacer(pair, dhcp.Hidden, h.key, dhcp.Hidden).Replace(said))
}

func (h *session) do(ctx context.Context, method, path string, body any) (remote.Reply, error) {
	q := remote.Request{
		Method: method, Path: path, Within: requestTimeout, Header: map[string]string{"Accept": "application/json"},
		Sign: func(r *resty.Request) { r.SetBasicAuth(h.key, h.login.Secret.Reveal()) },
	}
	if method == http.MethodPost {
		// With any other type the firewall does not read the body, and answers 200.
		q.Header["Content-Type"] = "application/json"
		var err error
		if q.Body, err = json.Marshal(body); err != nil {
			return remote.Reply{}, err
		}
	}
	return h.client.Do(ctx, q)
}

// get asks for JSON and reads it into v, which stays as it is where PHP answers with an empty list in place of an
// object.
func (h *session) get(ctx context.Context, path string, v any) error {
	a, err := h.do(ctx, http.MethodGet, path, nil)
	switch {
	case err != nil:
		return err
	case a.Status != http.StatusOK:
		return h.failure(path, a)
	case bytes.Equal(bytes.TrimSpace(a.Body), []byte("[]")):
		return nil
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("%w: %s: %w", remote.ErrOther, path, err)
	}
	return nil
}

// post sends body as JSON and succeeds only where the answer's result is one of want: the status is 200 for most
// failures as well.
func (h *session) post(ctx context.Context, path string, body any, want ...string) error {
	a, err := h.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	var said answer
	if a.Status == http.StatusOK && json.Unmarshal(a.Body, &said) == nil && slices.Contains(want, said.Result) {
		return nil
	}
	return h.failure(path, a)
}

// answer is what the firewall says of a request, in all its forms.
type answer struct {
	Result      string                 `json:"result"`
	Validations object[map[string]any] `json:"validations"`  // a text or a list of texts by field
	Message     string                 `json:"message"`      // with 401 and 403
	Error       string                 `json:"errorMessage"` // with 404 and 500
	Title       string                 `json:"errorTitle"`
}

// failure is the error of an answer that is not a success.
func (h *session) failure(path string, a remote.Reply) error {
	var said answer
	err := json.Unmarshal(a.Body, &said)
	switch {
	case err == nil && a.Status == http.StatusUnauthorized && said.Message != "":
		return fmt.Errorf("%w: it answered %s", remote.ErrCredential, h.quoted(said.Message))
	case err == nil && a.Status == http.StatusForbidden && said.Message != "":
		return fmt.Errorf("%w: the key's user lacks %s, which %s needs", remote.ErrPrivilege, privilege(path), path)
	case err == nil && a.Status == http.StatusNotFound && said.Error != "":
		return fmt.Errorf("%w: %s; update OPNsense to 25.7 or later", ErrNoAPI, path)
	case err == nil && strings.Contains(said.Error, "denied for write access"):
		return fmt.Errorf("%w: %s", ErrReadOnly, h.quoted(said.Error))
	case err == nil && said.Error != "":
		return fmt.Errorf("%w: %s: it answered %d, %s", ErrAPI, path, a.Status,
			h.quoted(strings.TrimSpace(said.Title+" "+said.Error)))
	case err == nil && len(said.Validations.Members) > 0:
		return fmt.Errorf("%w: %s", ErrValidation, h.quoted(said.reasons()))
	case err == nil && a.Status == http.StatusBadRequest && said.Message != "":
		return fmt.Errorf("%w: %s: it answered %d, %s", ErrAPI, path, a.Status, h.quoted(said.Message))
	case err == nil && said.Result != "":
		return fmt.Errorf("%w: %s: it answered %s", ErrAPI, path, h.quoted(said.Result))
	}
	switch a.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("%w: it answered %d", remote.ErrGateway, a.Status)
	}
	if a.Location != "" {
		return fmt.Errorf("%w: it answered %d and redirected to %s", remote.ErrOther, a.Status, h.quoted(a.Location))
	}
	return fmt.Errorf("%w: %s: it answered %d, %s", remote.ErrOther, path, a.Status, h.quoted(string(a.Body)))
}

// reasons are the rejected fields and why.
func (a answer) reasons() string {
	var list []string
	for _, field := range slices.Sorted(maps.Keys(a.Validations.Members)) {
		why := a.Validations.Members[field]
		if all, ok := why.([]any); ok {
			var texts []string
			for _, one := range all {
				texts = append(texts, fmt.Sprint(one))
			}
			why = strings.Join(texts, " ")
		}
		list = append(list, fmt.Sprintf("%s: %v", field, why))
	}
	return strings.Join(list, "; ")
}

// Privileges of a key's user.
const (
	dnsmasqPrivilege   = `page-services-dnsforwarder ("Services: Dnsmasq DNS/DHCP: Settings")`
	keaPrivilege       = `page-dhcp-kea-v4 ("Services: DHCP: Kea(v4)")`
	interfacePrivilege = `page-status-interfaces ("Status: Interfaces")`
)

// privilege is what the user of a key needs for a path.
func privilege(path string) string {
	for prefix, p := range map[string]string{"/api/kea/": keaPrivilege, "/api/interfaces/": interfacePrivilege} {
		if strings.HasPrefix(path, prefix) {
			return p
		}
	}
	return dnsmasqPrivilege
}

// searched is the answer of a search: rows with their fields, of which a later version may have others.
type searched[T any] struct {
	Rows  []T  `json:"rows"`
	Total *int `json:"total"`
}

// search asks for all rows of a table, in the order of the firewall's configuration.
func search[T any](ctx context.Context, h *session, path string) ([]T, error) {
	var a searched[T]
	if err := h.get(ctx, path, &a); err != nil {
		return nil, err
	}
	if a.Total == nil && a.Rows == nil {
		return nil, fmt.Errorf("%w: %s: its answer has no rows", remote.ErrOther, path)
	}
	if total := *cmp.Or(a.Total, new(int)); total > len(a.Rows) {
		return nil, fmt.Errorf("%w: %s: it answered with %d rows of %d", ErrAPI, path, len(a.Rows), total)
	}
	return a.Rows, nil
}
