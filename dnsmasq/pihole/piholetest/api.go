package piholetest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ServeHTTP answers as FTL's API.
func (p *Pihole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
	fault := p.fault
	p.mu.Unlock()
	if fault != nil {
		status, drop := fault(r)
		switch {
		case drop:
			p.answer(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case status != 0:
			http.Error(w, "fault", status)
			return
		}
	}
	p.answer(w, r)
}

// discard is where an answer is lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func (p *Pihole) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path == "/api/auth" && r.Method == http.MethodPost {
		p.logIn(w, r)
		return
	}
	sid := r.Header.Get("X-FTL-SID")
	app, known := p.sessions[sid]
	if p.opts.Password != "" && !known {
		fail(w, http.StatusUnauthorized, "unauthorized", "Unauthorized", nil)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "DELETE /api/auth":
		delete(p.sessions, sid)
		w.WriteHeader(http.StatusNoContent)
	case "GET /api/config":
		p.config(w, r.URL.Query().Get("detailed") == "true")
	case "PATCH /api/config":
		p.patch(w, r, app)
	case "GET /api/network/interfaces":
		p.interfaces(w)
	case "GET /api/info/ftl":
		reply(w, "ftl", m{"pid": p.pid, "uptime": float64(time.Since(p.started).Microseconds()) / 1000})
	case "GET /api/dns/blocking":
		state := "enabled"
		if p.failed != "" {
			state = "failed"
		}
		reply(w, "blocking", state)
	case "GET /api/info/messages":
		list := []m{}
		if p.failed != "" {
			list = append(list, m{"type": "DNSMASQ_CONFIG", "plain": p.failed})
		}
		reply(w, "messages", list)
	case "POST /api/action/restartdns":
		p.restart()
		reply(w, "status", "success")
	default:
		fail(w, http.StatusNotFound, "not_found", "Not found", nil)
	}
}

type m map[string]any

func reply(w http.ResponseWriter, key string, value any) {
	write(w, http.StatusOK, m{key: value, "took": 0.001})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, key, message string, hint any) {
	write(w, status, m{"error": m{"key": key, "message": message, "hint": hint}, "took": 0.001})
}

func (p *Pihole) logIn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Password string `json:"password"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		fail(w, http.StatusBadRequest, "bad_request", "No valid JSON payload found", nil)
		return
	}
	session := func(status int, valid bool, sid any, message string) {
		write(w, status, m{"session": m{"valid": valid, "totp": false, "sid": sid, "validity": 1800, "message": message},
			"took": 0.1})
	}
	app := p.opts.App != "" && body.Password == p.opts.App
	switch {
	case p.opts.Password == "":
		session(http.StatusOK, true, nil, "no password set")
	case !app && body.Password != p.opts.Password:
		p.refused++
		session(http.StatusUnauthorized, false, nil, "password incorrect")
	case !app && p.opts.TOTP:
		fail(w, http.StatusBadRequest, "bad_request", "No 2FA token found in JSON payload", nil)
	case len(p.sessions) >= 16:
		fail(w, http.StatusTooManyRequests, "api_seats_exceeded", "API seats exceeded", "increase webserver.api.max_sessions")
	default:
		sid := rand.Text()
		p.sessions[sid] = app
		session(http.StatusOK, true, sid, "password correct")
	}
}

// config is the answer about the whole configuration. detailed: with what is known of each item.
func (p *Pihole) config(w http.ResponseWriter, detailed bool) {
	c := p.conf
	item := func(v any, environment bool) any {
		if !detailed {
			return v
		}
		return m{"value": v, "flags": m{"restart_dnsmasq": true, "env_var": environment}}
	}
	list := func(l []string) []string { return append([]string{}, l...) }
	reply(w, "config", m{
		"misc": m{"dnsmasq_lines": item(list(c.Lines), c.Environment), "etc_dnsmasq_d": item(c.EtcDir, false),
			"readOnly": item(c.ReadOnly, false)},
		"dhcp": m{"active": item(c.Active, false), "start": item(c.Start, false), "end": item(c.End, false),
			"netmask": item(c.Netmask, false), "ignoreUnknownClients": item(c.IgnoreUnknown, false),
			"hosts": item(list(c.Hosts), false)},
		"dns":       m{"interface": item(c.Interface, false), "listeningMode": item(c.Listening, false)},
		"webserver": m{"api": m{"app_sudo": item(c.AppSudo, false)}},
	})
}

func (p *Pihole) interfaces(w http.ResponseWriter) {
	list := []m{{"name": "lo", "addresses": []m{{"address": "127.0.0.1", "family": "inet", "prefixlen": 8}}}}
	for _, i := range p.opts.Interfaces {
		list = append(list, m{"name": i.Name, "addresses": []m{
			{"address": "fe80::1", "family": "inet6", "prefixlen": 64},
			{"address": i.Address.Addr().String(), "family": "inet", "prefixlen": i.Address.Bits()},
		}})
	}
	reply(w, "interfaces", list)
}

func (p *Pihole) patch(w http.ResponseWriter, r *http.Request, app bool) {
	var body struct {
		Config *struct {
			Misc *struct {
				Lines *[]string `json:"dnsmasq_lines"`
			} `json:"misc"`
		} `json:"config"`
	}
	switch err := json.NewDecoder(r.Body).Decode(&body); {
	case err != nil || body.Config == nil || body.Config.Misc == nil || body.Config.Misc.Lines == nil:
		fail(w, http.StatusBadRequest, "body_error", "No \"config\" object in body data", nil)
		return
	case p.conf.ReadOnly:
		fail(w, http.StatusForbidden, "forbidden", "The config is currently in read-only mode", nil)
		return
	case app && !p.conf.AppSudo:
		fail(w, http.StatusForbidden, "forbidden", "Unable to change configuration (read-only)",
			"The current app session is not allowed to modify Pi-hole config settings (webserver.api.app_sudo is false)")
		return
	case p.conf.Environment:
		fail(w, http.StatusBadRequest, "bad_request",
			"Config items set via environment variables cannot be changed via the API", "misc.dnsmasq_lines")
		return
	}
	next := p.conf
	next.Lines = *body.Config.Misc.Lines
	if err := next.check(); err != nil {
		fail(w, http.StatusBadRequest, "bad_request", "Invalid configuration", err.Error())
		return
	}
	changed := !slices.Equal(next.Lines, p.conf.Lines)
	p.conf = next
	p.config(w, false)
	if changed {
		p.writes++
		if !strings.Contains(r.URL.RawQuery, "restart=false") {
			p.restart()
		}
	}
}
