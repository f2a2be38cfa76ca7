// Package openwrttest is a stand-in OpenWrt router for tests and for the demonstration: /etc/config/dhcp in memory, the
// part of ubus over HTTP that pxeagent uses, with sessions and rollback, and what the router's script makes of it for
// Dnsmasq. Its answers are recorded from the real rpcd.
package openwrttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pxeagent/dnsmasq/dnsmasqtest"
)

// Section is one of /etc/config/dhcp. Its options are texts or lists ([]any of texts).
type Section struct {
	Name    string
	Type    string
	Options map[string]any
}

// Network is one of the router's.
type Network struct {
	Name, Device string
	Address      netip.Prefix
}

// User is a login of rpcd.
type User struct {
	Name, Password string
	ReadOnly       bool
}

// Options configure a Router. Each zero value is usable.
type Options struct {
	Sections []Section // nil: Default()
	Networks []Network // nil: lan on br-lan with 10.77.0.1/24 and guest on br-guest with 10.78.0.1/24
	Users    []User    // nil: pxeagent with password "secret"
	Version  string    // "": "24.10.2"
	// Load starts Dnsmasq with the text of its configuration. nil: nothing answers DHCP.
	Load func(conf string) error
}

// Default leases addresses on both networks.
func Default() []Section {
	pool := func(name string) Section {
		return Section{name, "dhcp", map[string]any{
			"interface": name, "start": "100", "limit": "100", "leasetime": "12h", "dhcpv4": "server", "force": "1",
		}}
	}
	return []Section{
		{"cfg01411c", "dnsmasq", map[string]any{"domainneeded": "1", "authoritative": "1"}},
		pool("lan"), pool("guest"),
		{"site", "tag", map[string]any{"dhcp_option": []any{"42,10.77.0.9"}}},
	}
}

// Router serves until Close. Its methods may be called while it serves.
type Router struct {
	*dnsmasqtest.Web

	mu       sync.Mutex
	opts     Options
	sections []Section
	sessions map[string]*session
	pending  *pending
	pid      int
	running  bool
	conf     string
	writes   int
	loads    int
	refused  int
	next     int
	asked    []string
	fault    func(object, method string) (status int, drop bool)
}

// session is a login, with what was changed in it and not applied.
type session struct {
	user    User
	timeout float64 // in s
	delta   []change
}

type change struct {
	delete string   // a section's name
	add    *Section // a section
}

// pending is an apply that waits to be confirmed.
type pending struct {
	session string
	before  []Section
	delta   []change
	timer   *time.Timer
}

// New starts one. It must be closed.
func New(o Options) (*Router, error) {
	if o.Sections == nil {
		o.Sections = Default()
	}
	if o.Networks == nil {
		o.Networks = []Network{
			{"lan", "br-lan", netip.MustParsePrefix("10.77.0.1/24")},
			{"guest", "br-guest", netip.MustParsePrefix("10.78.0.1/24")},
		}
	}
	if o.Users == nil {
		o.Users = []User{{Name: "pxeagent", Password: "secret"}}
	}
	if o.Version == "" {
		o.Version = "24.10.2"
	}
	r := &Router{opts: o, sections: clone(o.Sections), sessions: map[string]*session{}, pid: 2000}
	r.load()
	r.loads = 0
	var err error
	r.Web, err = dnsmasqtest.Serve(r, "", "OpenWrt", 397)
	return r, err
}

func clone(all []Section) []Section {
	var list []Section
	for _, s := range all {
		list = append(list, Section{s.Name, s.Type, maps.Clone(s.Options)})
	}
	return list
}

// Close ends it.
func (r *Router) Close() {
	r.mu.Lock()
	if r.pending != nil {
		r.pending.timer.Stop()
	}
	r.mu.Unlock()
	r.Web.Close()
}

// Sections are those of /etc/config/dhcp now.
func (r *Router) Sections() []Section {
	r.mu.Lock()
	defer r.mu.Unlock()
	return clone(r.sections)
}

// Edit changes them as a person does; load: and has them loaded.
func (r *Router) Edit(load bool, edit func([]Section) []Section) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sections = edit(clone(r.sections))
	if load {
		r.load()
	}
}

// Writes counts changes of the sections by calls, Loads how often Dnsmasq read its configuration, and
// Refused the rejected logins.
func (r *Router) Writes() int  { return r.count(&r.writes) }
func (r *Router) Loads() int   { return r.count(&r.loads) }
func (r *Router) Refused() int { return r.count(&r.refused) }

func (r *Router) count(n *int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *n
}

// Pending reports whether a change waits to be confirmed.
func (r *Router) Pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending != nil
}

// Expire makes the time of a change that waits be over.
func (r *Router) Expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rollBack()
}

// Steal is an apply without rollback by somebody else, which ends the waiting and applies nothing.
func (r *Router) Steal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending != nil {
		r.pending.timer.Stop()
		r.pending = nil
	}
}

// Sessions is how many are open.
func (r *Router) Sessions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sessions)
}

// Fault is asked before each call: an HTTP status other than 0 is answered in place of ubus; drop: the call is carried
// out and its answer lost.
func (r *Router) Fault(f func(object, method string) (status int, drop bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// Asked are all calls: "uci get".
func (r *Router) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// load has Dnsmasq read what the script makes of the sections; procd restarts it only where that differs. The caller
// holds the lock, or nobody else knows of r.
func (r *Router) load() {
	r.loads++
	conf := r.Conf()
	if conf == r.conf && r.running {
		return
	}
	r.conf, r.running = conf, true
	r.pid++
	if r.opts.Load != nil {
		r.running = r.opts.Load(conf) == nil
	}
}

// Conf is what the script writes for Dnsmasq. The caller holds the lock.
func (r *Router) Conf() string {
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	text := func(s Section, name string) string { t, _ := s.Options[name].(string); return t }
	list := func(s Section, name string) (all []string) {
		values, _ := s.Options[name].([]any)
		for _, v := range values {
			all = append(all, fmt.Sprint(v))
		}
		return all
	}
	each := func(kind string, f func(Section)) {
		for _, s := range r.sections {
			if s.Type == kind {
				f(s)
			}
		}
	}
	say("dhcp-authoritative")
	options := func(s Section, tag string) {
		force := ""
		if text(s, "force") == "1" && s.Type != "dhcp" {
			force = "-force"
		}
		for _, o := range list(s, "dhcp_option") {
			say("dhcp-option%s=%s%s", force, tag, o)
		}
	}
	each("dnsmasq", func(s Section) {
		if b := text(s, "dhcp_boot"); b != "" {
			say("dhcp-boot=%s", b)
		}
	})
	each("boot", func(s Section) {
		tag := ""
		if id := text(s, "networkid"); id != "" {
			tag = "tag:" + id + ","
		}
		if text(s, "serveraddress") != "" && text(s, "servername") == "" {
			return
		}
		say("dhcp-boot=%s%s,%s,%s", tag, text(s, "filename"), text(s, "servername"), text(s, "serveraddress"))
		options(s, strings.TrimPrefix(tag, "tag:")) // the first tag stands bare, as in old versions of Dnsmasq
	})
	each("tag", func(s Section) { options(s, "tag:"+s.Name+",") })
	each("match", func(s Section) { say("dhcp-match=set:%s,%s", text(s, "networkid"), text(s, "match")) })
	each("dhcp", func(s Section) {
		i := slices.IndexFunc(r.opts.Networks, func(n Network) bool { return n.Name == text(s, "interface") })
		if i < 0 || text(s, "ignore") == "1" || text(s, "dhcpv4") == "disabled" {
			return
		}
		net := r.opts.Networks[i].Address.Masked().Addr().As4()
		start, _ := strconv.Atoi(text(s, "start"))
		limit, _ := strconv.Atoi(text(s, "limit"))
		at := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{net[0], net[1], net[2], net[3] + byte(n)}) }
		say("dhcp-range=set:%s,%s,%s,255.255.255.0,12h", text(s, "interface"), at(start), at(start+limit-1))
		options(s, text(s, "interface")+",")
	})
	return out.String()
}

// rollBack puts the sections from before a change that waits back. The caller holds the lock.
func (r *Router) rollBack() {
	p := r.pending
	if p == nil {
		return
	}
	p.timer.Stop()
	r.pending = nil
	r.sections = p.before
	if s := r.sessions[p.session]; s != nil {
		s.delta = p.delta
	}
	r.writes++
	r.load()
}

func (r *Router) values() map[string]any {
	all := map[string]any{}
	for i, s := range r.sections {
		v := map[string]any{".type": s.Type, ".name": s.Name, ".anonymous": strings.HasPrefix(s.Name, "cfg"), ".index": i}
		maps.Copy(v, s.Options)
		all[s.Name] = v
	}
	return all
}

func (r *Router) write(w http.ResponseWriter, v map[string]any) {
	v["jsonrpc"], v["id"] = "2.0", 1
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
