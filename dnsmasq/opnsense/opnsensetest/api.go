package opnsensetest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// m is a JSON object.
type m map[string]any

// answer is a status, and what is sent as JSON.
type answer struct {
	status int
	body   any
}

func ok(body any) answer { return answer{http.StatusOK, body} }

var (
	failed   = ok(m{"result": "failed"})
	notFound = answer{http.StatusNotFound, m{"errorMessage": "Endpoint not found"}}
	fellOver = answer{http.StatusInternalServerError, m{"errorMessage": "Unexpected error, check log for details"}}
)

// userError is what the GUI shows in a dialog.
func userError(title, message string) answer {
	return answer{http.StatusInternalServerError, m{"errorMessage": message, "errorTitle": title, "errorLevel": "error"}}
}

// endpoint is an action of the API. It is called with the lock held.
type endpoint struct {
	params int // how many it needs in its path
	run    func(f *Firewall, q request) answer
}

// privileges are the paths that each gives.
var privileges = map[string][]string{
	PrivilegeDnsmasq:    {"api/dnsmasq/"},
	PrivilegeKea:        {"api/kea/dhcpv4/", "api/kea/leases4/", "api/kea/service/"},
	PrivilegeInterfaces: {"api/interfaces/overview/"},
}

// ServeHTTP answers as the web server.
func (f *Firewall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	f.faultN++
	fault, n := f.fault, f.faultN
	f.mu.Unlock()
	var wrong Fault
	if fault != nil {
		wrong = fault(n, r)
	}
	switch {
	case wrong.Cut:
		panic(http.ErrAbortHandler)
	case wrong.Status != 0:
		w.WriteHeader(wrong.Status)
		_, _ = w.Write([]byte(wrong.Body))
		return
	}
	a := f.answer(w, r)
	if wrong.Lost {
		panic(http.ErrAbortHandler)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func (f *Firewall) answer(w http.ResponseWriter, r *http.Request) answer {
	path, isAPI := strings.CutPrefix(r.URL.Path, "/api/")
	if !isAPI {
		w.Header().Set("Location", "/")
		return answer{http.StatusFound, nil}
	}
	// That there is no such thing is said before anybody is asked for a key.
	e, params, there := f.find(path)
	if !there || len(params) < e.params {
		return notFound
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		w.Header().Set("Location", "/?url="+url.QueryEscape(r.URL.Path))
		return answer{http.StatusFound, nil}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !knows(header) {
		f.refused++
		return answer{http.StatusUnauthorized, m{"status": 401, "message": "Authentication Failed"}}
	}
	if !f.allows(r.URL.Path) {
		return answer{http.StatusForbidden, m{"status": 403, "message": "Forbidden"}}
	}
	body, readable := readBody(r)
	if !readable {
		return answer{http.StatusBadRequest, m{"status": 400, "message": "Invalid JSON syntax"}}
	}
	return e.run(f, request{post: r.Method == http.MethodPost, body: body, params: params, query: r.URL.Query()})
}

// knows reports whether the key and the secret are right.
func knows(header string) bool {
	_, encoded, _ := strings.Cut(header, " ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && string(text) == key+":"+secret
}

// allows reports whether the user has a privilege for a path, which is compared as it was sent.
func (f *Firewall) allows(path string) bool {
	return slices.ContainsFunc(f.opts.Privileges, func(p string) bool {
		return slices.ContainsFunc(privileges[p], func(prefix string) bool {
			return strings.HasPrefix(path, "/"+prefix)
		})
	})
}

// find is the endpoint of a path, in which the action may be written in camel case or in snake case.
func (f *Firewall) find(path string) (e endpoint, params []string, there bool) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(parts) < 3 {
		return endpoint{}, nil, false
	}
	module := strings.ToLower(parts[0])
	action := parts[2]
	for word := range strings.SplitSeq(parts[2], "_") {
		if word != "" && strings.Contains(parts[2], "_") {
			if action == parts[2] {
				action = word
				continue
			}
			action += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	e, there = f.endpoints[module+"/"+strings.ToLower(parts[1])+"/"+action]
	return e, parts[3:], there
}

// endpointsOf are those of the firewall's version.
func endpointsOf(f *Firewall) map[string]endpoint {
	all := map[string]endpoint{
		"dnsmasq/settings/get":        {0, (*Firewall).getDnsmasq},
		"dnsmasq/settings/set":        {0, (*Firewall).setDnsmasq},
		"dnsmasq/leases/search":       {0, noRows},
		"kea/leases4/search":          {0, noRows},
		"kea/dhcpv4/get":              {0, (*Firewall).getKea},
		"kea/dhcpv4/set":              {0, (*Firewall).setKea},
		"interfaces/overview/export":  {0, (*Firewall).overview},
		"dnsmasq/service/status":      {0, dnsmasqService.status},
		"dnsmasq/service/reconfigure": {0, dnsmasqService.reconfigure},
		"kea/service/status":          {0, keaService.status},
		"kea/service/reconfigure":     {0, keaService.reconfigure},
	}
	for _, verb := range []string{"start", "stop", "restart"} {
		all["dnsmasq/service/"+verb] = endpoint{0, dnsmasqService.do(verb)}
		all["kea/service/"+verb] = endpoint{0, keaService.do(verb)}
	}
	if f.since(25, 1, 8) {
		all["dnsmasq/settings/getTagList"] = endpoint{0, (*Firewall).tagList}
	}
	for name, s := range map[string]*section{"Range": ranges, "Tag": tags, "Option": options, "Boot": boots} {
		s.serve(all, "dnsmasq/settings/", name)
	}
	subnets.serve(all, "kea/dhcpv4/", "Subnet")
	if f.since(26, 1, 5) {
		keaOptions.serve(all, "kea/dhcpv4/", "Option")
	}
	return all
}

// noRows is a list of leases, of which the stand-in has none.
func noRows(*Firewall, request) answer {
	return ok(m{"rows": []any{}, "rowCount": 0, "total": 0, "current": 1})
}

// overview is what is known of the interfaces' devices and addresses.
func (f *Firewall) overview(request) answer {
	list := []m{}
	for _, i := range f.conf.Interfaces {
		one := m{"identifier": i.ID, "description": i.Description, "device": i.Device, "enabled": true, "status": "up"}
		if i.Address.IsValid() {
			one["addr4"] = i.Address.String()
			one["ipv4"] = []m{{"ipaddr": i.Address.String()}}
		}
		list = append(list, one)
	}
	return ok(list)
}
