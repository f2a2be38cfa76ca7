package openwrt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

const (
	requestTimeout = 15 * time.Second
	nobody         = "00000000000000000000000000000000" // the session of those who are not logged in
)

// status is how a call of ubus ended, by its numbers.
type status int

const (
	statusOK         status = 0
	statusPermission status = 6
)

func (s status) String() string {
	names := []string{"ok", "invalid command", "invalid argument", "no such method", "not found", "no data",
		"permission denied", "timeout", "not supported", "unknown error", "connection failed"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("status %d", int(s))
	}
	return fmt.Sprintf("status %d (%s)", int(s), names[s])
}

// session is a login at the router.
type session struct {
	*Server
	login remote.Login
	id    string
}

// rights are what pxeagent needs: the methods of each object.
var rights = map[string][]string{
	"uci":               {"get", "changes", "add", "delete", "revert", "apply", "confirm", "rollback"},
	"network.interface": {"dump"},
	"service":           {"list"},
}

// with logs in, does work and logs out, unless a change waits in the session.
func (s *Server) with(ctx context.Context, work func(*session) error) error {
	if s.cfg.User == "" || s.cfg.Password == nil {
		return fmt.Errorf("%w: want a user and a password", remote.ErrNoCredential)
	}
	secret, err := s.cfg.Password()
	if err != nil {
		return err
	}
	if secret == "" {
		return fmt.Errorf("%w: no password for user %q", remote.ErrNoCredential, s.cfg.User)
	}
	h := &session{Server: s, login: remote.Login{User: s.cfg.User, Secret: dhcp.NewSecret(secret)}, id: nobody}
	if err := s.client.Guard(h.login, func() error { return h.open(ctx) }); err != nil {
		return fmt.Errorf("logging in to the router %s: %w", s.cfg.URL.Host, err)
	}
	defer h.close(ctx)
	return work(h)
}

func (h *session) open(ctx context.Context) error {
	var l struct {
		Session string `json:"ubus_rpc_session"`
		Timeout int    `json:"timeout"`
		ACLs    struct {
			Ubus map[string][]string `json:"ubus"`
			UCI  map[string][]string `json:"uci"`
		} `json:"acls"`
	}
	// Each login is given a session of its own with the time that it asks for, but for one case: while a change of this
	// user waits to be confirmed it is given the session of that, whose time is another. Were it the same, which
	// happens once in as many logins, that session would be ended like one of our own; so the times are up to a day
	// apart.
	timeout := int(keepLimit/time.Second) + 180 + rand.IntN(100_000)
	status, err := h.call(ctx, "session", "login", map[string]any{
		"username": h.login.User, "password": h.login.Secret.Reveal(), "timeout": timeout,
	}, &l)
	switch {
	case err != nil:
		return err
	case status == statusPermission:
		return fmt.Errorf("%w of %s", remote.ErrCredential, h.login)
	case status != statusOK || l.Session == "":
		return fmt.Errorf("%w: the answer to the login was %v", ErrUbus, status)
	}
	h.id = l.Session
	h.pending = h.pending || l.Timeout != timeout
	var missing []string
	has := func(all []string, one string) bool { return slices.Contains(all, one) || slices.Contains(all, "*") }
	for object, methods := range rights {
		granted := slices.Concat(l.ACLs.Ubus[object], l.ACLs.Ubus["*"])
		for _, m := range methods {
			if !has(granted, m) {
				missing = append(missing, object+" "+m)
			}
		}
	}
	for _, right := range []string{"read", "write"} {
		if !has(slices.Concat(l.ACLs.UCI["dhcp"], l.ACLs.UCI["*"]), right) {
			missing = append(missing, "uci dhcp "+right)
		}
	}
	if len(missing) > 0 {
		h.close(ctx)
		slices.Sort(missing)
		return fmt.Errorf("%w: %s lacks %s", remote.ErrPrivilege, h.login, strings.Join(missing, ", "))
	}
	return nil
}

// close ends the session, also after ^C. With it go changes that were not applied.
func (h *session) close(ctx context.Context) {
	if h.pending || h.id == nobody {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_, _ = h.call(ctx, "session", "destroy", nil, nil)
}

// call calls a method. Its status is that of ubus; what it returns is read into v.
func (h *session) call(ctx context.Context, object, method string, args map[string]any, v any) (status, error) {
	if args == nil {
		args = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "call", "params": []any{h.id, object, method, args},
	})
	if err != nil {
		return 0, err
	}
	a, err := h.client.Do(ctx, remote.Request{
		Path: "/ubus", Header: map[string]string{"Content-Type": "application/json"}, Body: body, Within: requestTimeout,
	})
	if err != nil {
		return 0, err
	}
	return h.read(a, object+" "+method, v)
}

func (h *session) read(a remote.Reply, what string, v any) (code status, err error) {
	var r struct {
		JSONRPC string            `json:"jsonrpc"`
		Result  []json.RawMessage `json:"result"`
		Error   *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	switch jsonErr := json.Unmarshal(a.Body, &r); {
	case a.Status == http.StatusNotFound:
		return 0, ErrNoUbus
	case a.Status == http.StatusBadGateway, a.Status == http.StatusServiceUnavailable,
		a.Status == http.StatusGatewayTimeout:
		return 0, fmt.Errorf("%w: it answered %d", remote.ErrGateway, a.Status)
	case jsonErr != nil || r.JSONRPC == "" || a.Status != http.StatusOK:
		return 0, fmt.Errorf("%w: it answered %d, %s", remote.ErrOther, a.Status, h.login.Quoted(string(a.Body)))
	case r.Error != nil && r.Error.Code == -32002:
		return 0, fmt.Errorf("%w: %s: %s", remote.ErrPrivilege, what, h.login.Quoted(r.Error.Message))
	case r.Error != nil:
		return 0, fmt.Errorf("%w: %s: %d, %s", ErrUbus, what, r.Error.Code, h.login.Quoted(r.Error.Message))
	case len(r.Result) == 0 || json.Unmarshal(r.Result[0], &code) != nil:
		return 0, fmt.Errorf("%w: %s: the answer has no result", ErrUbus, what)
	}
	if code == statusOK && v != nil && len(r.Result) > 1 {
		if err := json.Unmarshal(r.Result[1], v); err != nil {
			return code, fmt.Errorf("%w: %s: %w", ErrUbus, what, err)
		}
	}
	return code, nil
}

// do is call where every status but OK is an error.
func (h *session) do(ctx context.Context, object, method string, args map[string]any, v any) error {
	status, err := h.call(ctx, object, method, args, v)
	switch {
	case err != nil:
		return err
	case status == statusPermission && object == "uci" && method == "apply":
		return ErrPending
	case status != statusOK:
		return fmt.Errorf("%w: the answer to %s %s was %v", ErrUbus, object, method, status)
	}
	return nil
}

// daemons are the processes of Dnsmasq, by the section that each is for; 0 where it does not run.
func (h *session) daemons(ctx context.Context) (map[string]int, error) {
	var a map[string]struct {
		Instances map[string]struct {
			Running bool `json:"running"`
			PID     int  `json:"pid"`
		} `json:"instances"`
	}
	if err := h.do(ctx, "service", "list", map[string]any{"name": "dnsmasq"}, &a); err != nil {
		return nil, err
	}
	pids := map[string]int{}
	for name, i := range a["dnsmasq"].Instances {
		if i.Running {
			pids[name] = i.PID
		} else {
			pids[name] = 0
		}
	}
	return pids, nil
}

// loaded waits until every Dnsmasq ran for a while, and one of them as a new process, if restarted is true.
func (h *session) loaded(ctx context.Context, before map[string]int, restarted bool) error {
	ctx, cancel := context.WithTimeout(ctx, h.limit)
	defer cancel()
	var last map[string]int
	since := time.Now()
	for {
		now, err := h.daemons(ctx)
		switch {
		case err != nil && !remote.IsOutage(err):
			return err
		case err != nil || !same(now, last):
			last, since = now, time.Now()
		case running(now) && (!restarted || !same(now, before)) && time.Since(since) >= h.settle:
			return nil
		}
		select {
		case <-time.After(h.pause):
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return context.Canceled
			}
			if last != nil && running(last) && restarted && same(last, before) {
				return fmt.Errorf("%w: after %v it was not restarted", ErrStopped, h.limit)
			}
			return fmt.Errorf("%w: after %v: processes %v", ErrStopped, h.limit, last)
		}
	}
}

func running(pids map[string]int) bool {
	for _, pid := range pids {
		if pid == 0 {
			return false
		}
	}
	return len(pids) > 0
}

func same(a, b map[string]int) bool {
	if len(a) != len(b) || a == nil || b == nil {
		return false
	}
	for name, pid := range a {
		if other, ok := b[name]; !ok || other != pid {
			return false
		}
	}
	return true
}
