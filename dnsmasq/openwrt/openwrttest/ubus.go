package openwrttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Statuses of ubus.
const (
	ok         = 0
	invalid    = 2
	notFound   = 4
	noData     = 5
	permission = 6
)

// call is one request.
type call struct {
	session, object, method string
	args                    map[string]any
}

// ServeHTTP answers as uhttpd's ubus.
func (r *Router) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var body struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	if q.URL.Path != "/ubus" {
		http.NotFound(w, q)
		return
	}
	if json.NewDecoder(q.Body).Decode(&body) != nil || body.Method != "call" || len(body.Params) != 4 {
		r.write(w, map[string]any{"error": map[string]any{"code": -32700, "message": "Parse error"}})
		return
	}
	var c call
	for i, to := range []any{&c.session, &c.object, &c.method, &c.args} {
		if json.Unmarshal(body.Params[i], to) != nil {
			r.write(w, map[string]any{"error": map[string]any{"code": -32602, "message": "Invalid parameters"}})
			return
		}
	}
	r.mu.Lock()
	r.asked = append(r.asked, c.object+" "+c.method)
	fault := r.fault
	r.mu.Unlock()
	if fault != nil {
		status, drop := fault(c.object, c.method)
		if status != 0 {
			http.Error(w, "fault", status)
			return
		}
		if drop {
			r.mu.Lock()
			r.call(c)
			r.mu.Unlock()
			panic(http.ErrAbortHandler)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	result := r.call(c)
	if result == nil {
		r.write(w, map[string]any{"error": map[string]any{"code": -32002, "message": "Access denied"}})
		return
	}
	r.write(w, map[string]any{"result": result})
}

// call is the result of one; nil: access denied.
func (r *Router) call(c call) []any {
	if c.object == "session" && c.method == "login" {
		return r.logIn(c)
	}
	s := r.sessions[c.session]
	if s == nil {
		return nil
	}
	switch c.object + " " + c.method {
	case "session destroy":
		delete(r.sessions, c.session)
		return []any{ok}
	case "network.interface dump":
		list := []any{}
		for _, n := range r.opts.Networks {
			list = append(list, map[string]any{"interface": n.Name, "l3_device": n.Device, "up": true, "proto": "static",
				"ipv4-address": []any{map[string]any{"address": n.Address.Addr(), "mask": n.Address.Bits()}}})
		}
		return []any{ok, map[string]any{"interface": list}}
	case "service list":
		return []any{ok, map[string]any{"dnsmasq": map[string]any{"instances": map[string]any{
			"cfg01411c": map[string]any{"running": r.running, "pid": r.pid},
		}}}}
	case "system board":
		return []any{ok, map[string]any{"release": map[string]any{"version": r.opts.Version}}}
	case "uci get":
		return []any{ok, map[string]any{"values": r.values()}}
	case "uci changes":
		list := []any{}
		for range s.delta {
			list = append(list, []any{"set"})
		}
		return []any{ok, map[string]any{"changes": list}}
	}
	if c.object != "uci" || s.user.ReadOnly {
		return nil
	}
	return r.change(c, s)
}

func (r *Router) logIn(c call) []any {
	i := slices.IndexFunc(r.opts.Users, func(u User) bool {
		return u.Name == c.args["username"] && u.Password == c.args["password"]
	})
	if i < 0 {
		r.refused++
		return []any{permission}
	}
	u := r.opts.Users[i]
	id := ""
	if p := r.pending; p != nil && r.sessions[p.session] != nil && r.sessions[p.session].user.Name == u.Name {
		id = p.session // whoever logs in while a change of this user waits is given its session
	} else {
		r.next++
		id = fmt.Sprintf("%032x", r.next)
		timeout, _ := c.args["timeout"].(float64)
		r.sessions[id] = &session{user: u, timeout: timeout}
	}
	timeout := r.sessions[id].timeout
	ubus := map[string]any{"uci": []any{"get", "changes"}, "network.interface": []any{"dump"}, "service": []any{"list"},
		"system": []any{"board"}, "session": []any{"access", "destroy"}}
	uci := []any{"read"}
	if !u.ReadOnly {
		ubus["uci"] = []any{"get", "changes", "add", "set", "delete", "order", "revert", "apply", "confirm", "rollback",
			"commit"}
		uci = append(uci, "write")
	}
	return []any{ok, map[string]any{"ubus_rpc_session": id, "timeout": timeout, "expires": timeout,
		"acls": map[string]any{"ubus": ubus, "uci": map[string]any{"dhcp": uci}}}}
}

// change carries out what writes.
func (r *Router) change(c call, s *session) []any {
	name, _ := c.args["section"].(string)
	switch c.method {
	case "add":
		name, _ = c.args["name"].(string)
		kind, _ := c.args["type"].(string)
		values, _ := c.args["values"].(map[string]any)
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || name == "" {
			return []any{invalid}
		}
		s.delta = append(s.delta, change{add: &Section{name, kind, values}})
		return []any{ok, map[string]any{"section": name}}
	case "delete":
		there := slices.ContainsFunc(r.sections, func(x Section) bool { return x.Name == name }) ||
			slices.ContainsFunc(s.delta, func(x change) bool { return x.add != nil && x.add.Name == name })
		if !there {
			return []any{notFound}
		}
		s.delta = append(s.delta, change{delete: name})
		return []any{ok}
	case "revert":
		s.delta = nil
		return []any{ok}
	case "apply":
		return r.apply(c, s)
	case "confirm", "rollback":
		switch {
		case r.pending == nil:
			return []any{noData}
		case r.pending.session != c.session:
			return []any{permission}
		case c.method == "rollback":
			r.rollBack()
			return []any{ok}
		}
		r.pending.timer.Stop()
		r.pending = nil
		return []any{ok}
	}
	return nil
}

func (r *Router) apply(c call, s *session) []any {
	if r.pending != nil {
		return []any{permission}
	}
	if len(s.delta) == 0 {
		return []any{noData}
	}
	before := clone(r.sections)
	for _, d := range s.delta {
		if d.add == nil {
			r.sections = slices.DeleteFunc(r.sections, func(x Section) bool { return x.Name == d.delete })
			continue
		}
		if i := slices.IndexFunc(r.sections, func(x Section) bool { return x.Name == d.add.Name }); i >= 0 {
			r.sections[i] = *d.add
			continue
		}
		r.sections = append(r.sections, *d.add)
	}
	seconds, _ := c.args["timeout"].(float64)
	p := &pending{session: c.session, before: before, delta: s.delta}
	p.timer = time.AfterFunc(time.Duration(seconds)*time.Second, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.pending == p {
			r.rollBack()
		}
	})
	r.pending, s.delta = p, nil
	if !reflect.DeepEqual(before, r.sections) {
		r.writes++
	}
	r.load()
	return []any{ok}
}
