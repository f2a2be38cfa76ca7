package pihole

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// requestTimeout is for one request: FTL tests a whole configuration before it answers a change.
const requestTimeout = 20 * time.Second

// session is a login at one Pi-hole. Pi-hole has 16 at most, so each is ended.
type session struct {
	*Server
	login remote.Login
	id    string // "" where no password is set
}

// with logs in, does work and logs out. A session that Pi-hole ended is not opened again: work is short.
func (s *Server) with(ctx context.Context, work func(*session) error) error {
	secret := ""
	if s.cfg.Password != nil {
		var err error
		if secret, err = s.cfg.Password(); err != nil {
			return err
		}
	}
	login := remote.Login{Secret: dhcp.NewSecret(secret), Name: "the password"}
	h := &session{Server: s, login: login}
	if err := s.client.Guard(login, func() error { return h.open(ctx) }); err != nil {
		return fmt.Errorf("logging in to Pi-hole at %s: %w", s.cfg.URL.Host, err)
	}
	defer h.close(ctx)
	return work(h)
}

type loginAnswer struct {
	Session *struct {
		Valid   bool   `json:"valid"`
		SID     string `json:"sid"`
		Message string `json:"message"`
	} `json:"session"`
}

func (h *session) open(ctx context.Context) error {
	body, err := json.Marshal(map[string]string{"password": h.login.Secret.Reveal()})
	if err != nil {
		return err
	}
	a, err := h.client.Do(ctx, remote.Request{
		Path: "/api/auth", Header: jsonHeader, Body: body, Within: requestTimeout,
	})
	if err != nil {
		return err
	}
	var l loginAnswer
	if json.Unmarshal(a.Body, &l) == nil && l.Session != nil {
		switch {
		case l.Session.Valid:
			h.id = l.Session.SID
			return nil
		case h.login.Secret.Reveal() == "":
			return fmt.Errorf("%w: Pi-hole wants a password", remote.ErrNoCredential)
		}
		return fmt.Errorf("%w: %s", remote.ErrCredential, h.login.Quoted(l.Session.Message))
	}
	return h.failure(a)
}

var jsonHeader = map[string]string{"Content-Type": "application/json", "Accept": "application/json"}

// close ends the session, also after ^C; Pi-hole ends it by itself where that fails.
func (h *session) close(ctx context.Context) {
	if h.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_, _ = h.client.Do(ctx, h.request(http.MethodDelete, "/api/auth", nil, nil))
}

func (h *session) request(method, path string, query url.Values, body []byte) remote.Request {
	return remote.Request{
		Method: method, Path: path, Query: query, Header: jsonHeader, Body: body, Within: requestTimeout,
		Sign: func(r *resty.Request) {
			if h.id != "" {
				r.SetHeader("X-FTL-SID", h.id)
			}
		},
	}
}

// get asks for JSON and reads it into v.
func (h *session) get(ctx context.Context, path string, query url.Values, v any) error {
	a, err := h.client.Do(ctx, h.request(http.MethodGet, path, query, nil))
	switch {
	case err != nil:
		return err
	case a.Status != http.StatusOK:
		return h.failure(a)
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("%w: %s: %w", remote.ErrOther, path, err)
	}
	return nil
}

// failure is the error of an answer that is not a success.
func (h *session) failure(a remote.Reply) error {
	var e struct {
		Error *struct {
			Key     string  `json:"key"`
			Message string  `json:"message"`
			Hint    *string `json:"hint"`
		} `json:"error"`
	}
	if json.Unmarshal(a.Body, &e) != nil || e.Error == nil {
		return h.stranger(a)
	}
	said := e.Error.Message
	if e.Error.Hint != nil && *e.Error.Hint != "" {
		said += ": " + *e.Error.Hint
	}
	quoted := h.login.Quoted(said)
	switch {
	case strings.Contains(said, "2FA"):
		return fmt.Errorf("%w: %s", ErrSecondFactor, quoted)
	case a.Status == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %s", ErrBusy, quoted)
	case a.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w: %s", remote.ErrCredential, quoted)
	case a.Status == http.StatusForbidden && strings.Contains(said, "read-only mode"):
		return fmt.Errorf("%w: %s", ErrReadOnly, quoted)
	case a.Status == http.StatusForbidden:
		return fmt.Errorf("%w: %s", ErrNotPermitted, quoted)
	case strings.Contains(said, "environment variable"):
		return fmt.Errorf("%w: %s", ErrEnvironment, quoted)
	case a.Status == http.StatusBadRequest && e.Error.Message == "Invalid configuration":
		return fmt.Errorf("%w: %s", ErrRejected, quoted)
	}
	return fmt.Errorf("%w: %d, %s", ErrAPI, a.Status, quoted)
}

// stranger is the error of an answer that FTL's API does not give.
func (h *session) stranger(a remote.Reply) error {
	switch a.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("%w: it answered %d", remote.ErrGateway, a.Status)
	}
	if a.Location != "" {
		return fmt.Errorf("%w: it answered %d and redirected to %s", remote.ErrOther, a.Status,
			h.login.Quoted(a.Location))
	}
	return fmt.Errorf("%w: it answered %d, %s", remote.ErrOther, a.Status, h.login.Quoted(string(a.Body)))
}

// process is FTL as it runs now.
type process struct {
	PID    int     `json:"pid"`
	Uptime float64 `json:"uptime"` // in ms
}

func (h *session) process(ctx context.Context) (process, error) {
	var a struct {
		FTL process `json:"ftl"`
	}
	err := h.get(ctx, "/api/info/ftl", nil, &a)
	return a.FTL, err
}

// restarted waits until FTL runs as a new process and answers, and says whether the Dnsmasq in it does. before is what
// ran.
func (h *session) restarted(ctx context.Context, before process) error {
	ctx, cancel := context.WithTimeout(ctx, h.limit)
	defer cancel()
	last := error(nil)
	for {
		now, err := h.process(ctx)
		switch {
		case err == nil && (now.PID != before.PID || now.Uptime < before.Uptime):
			return h.runs(ctx)
		case errors.Is(err, remote.ErrCredential):
			// The session did not survive the restart.
			if err := h.open(ctx); err != nil && !remote.IsOutage(err) {
				return err
			}
		case err != nil && !remote.IsOutage(err) && !errors.Is(err, remote.ErrOther):
			return err
		}
		if err != nil {
			last = err
		}
		select {
		case <-time.After(h.pause):
		case <-ctx.Done():
			if last == nil {
				last = errors.New("it went on without a restart")
			}
			return fmt.Errorf("%w: after %v: %w", ErrStopped, h.limit, last)
		}
	}
}

// runs fails unless Dnsmasq does.
func (h *session) runs(ctx context.Context) error {
	var a struct {
		Blocking string `json:"blocking"`
	}
	if err := h.get(ctx, "/api/dns/blocking", nil, &a); err != nil {
		return err
	}
	if a.Blocking != "failed" {
		return nil
	}
	var m struct {
		Messages []struct {
			Type  string `json:"type"`
			Plain string `json:"plain"`
		} `json:"messages"`
	}
	why := "it did not start"
	if h.get(ctx, "/api/info/messages", nil, &m) == nil {
		for _, msg := range m.Messages {
			if msg.Type == "DNSMASQ_CONFIG" {
				why = h.login.Quoted(msg.Plain)
			}
		}
	}
	return fmt.Errorf("%w: %s", ErrStopped, why)
}
