// Package opnsensetest is a stand-in OPNsense firewall for tests and for the demonstration: its configuration in
// memory, the part of its API that pxeagent uses, and what its templates make of it. Its answers are recorded ones.
package opnsensetest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pxeagent/dnsmasq/dnsmasqtest"
)

// Privileges of users.
const (
	PrivilegeDnsmasq    = "page-services-dnsforwarder"
	PrivilegeKea        = "page-dhcp-kea-v4"
	PrivilegeInterfaces = "page-status-interfaces"
)

// Options configure a Firewall. Each zero value is usable.
type Options struct {
	Config *Config // nil: Default()
	// Load starts Dnsmasq with the text of its configuration. nil: nothing answers DHCP, and only a line that Dnsmasq
	// would not start with makes it fail.
	Load func(conf string) error
	// LoadKea starts Kea with its configuration. nil: nothing answers DHCP, and it runs.
	LoadKea    func(json []byte) error
	Listen     string   // host and port; "": a free one of 127.0.0.1
	Version    string   // "25.7", "26.1.10"; "": "26.7.2"
	Privileges []string // of the key's user; nil: PrivilegeDnsmasq and PrivilegeKea
	ReadOnly   bool     // the key's user has user-config-readonly
	// SlowStart is how many times the status is "stopped" after a start, before it is "running".
	SlowStart int
	// NoOptionList is a firewall that cannot list the numbers of options: it accepts none.
	NoOptionList bool
}

// Fault is what goes wrong with one request. The zero value: nothing.
type Fault struct {
	Status int    // this is answered in place of the API
	Body   string // with Status
	Cut    bool   // the connection is cut, and nothing is done
	Lost   bool   // the request is carried out, and its answer is lost
}

// Firewall serves until Close. Its methods may be called while it serves.
type Firewall struct {
	*dnsmasqtest.Web

	mu      sync.Mutex
	opts    Options
	version [3]int
	conf    Config
	dnsmasq daemon
	kea     daemon
	writes  int
	refused int
	asked   []string
	fault   func(n int, r *http.Request) Fault
	faultN  int
	broken  bool

	endpoints map[string]endpoint // by "dnsmasq/settings/get"; not changed after New
}

// daemon is a DHCP server of the firewall.
type daemon struct {
	running bool
	loads   int
	slow    int // how often it is still said to be stopped
}

// Key is the text of the file that OPNsense gives for a new key. A stand-in has this one only.
const Key = "key=" + key + "\nsecret=" + secret + "\n"

const (
	key    = "ZmlyZXdhbGwga2V5IG9mIHRlc3RzCg8dL2pWc0Fn"
	secret = "c2VjcmV0IG9mIHRlc3RzLCBub3RoaW5nIGVsc2UuLi4K"
)

// New starts one. It must be closed.
func New(o Options) (*Firewall, error) {
	conf := Default()
	if o.Config != nil {
		conf = o.Config.clone()
	}
	if o.Privileges == nil {
		o.Privileges = []string{PrivilegeDnsmasq, PrivilegeKea}
	}
	o.Version = cmp.Or(o.Version, "26.7.2")
	f := &Firewall{opts: o, conf: conf}
	for i, part := range strings.SplitN(o.Version, ".", 3) {
		var err error
		if f.version[i], err = strconv.Atoi(part); err != nil {
			return nil, fmt.Errorf("version %q: %w", o.Version, err)
		}
	}
	f.endpoints = endpointsOf(f)
	f.start()
	f.dnsmasq.loads, f.kea.loads = 0, 0
	var err error
	f.Web, err = dnsmasqtest.Serve(f, o.Listen, "OPNsense.internal", 397)
	return f, err
}

// PowerOn starts it again at the same address after PowerOff, with what is stored.
func (f *Firewall) PowerOn() error {
	f.Apply()
	return f.Web.PowerOn()
}

// Edit changes what is stored, as a person who saves in the GUI and does not press Apply.
func (f *Firewall) Edit(edit func(*Config)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(&f.conf)
}

// Apply starts both DHCP servers with what is stored, as a person who presses Apply.
func (f *Firewall) Apply() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.start()
}

// Config is a copy of what is stored.
func (f *Firewall) Config() Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conf.clone()
}

// Writes counts the calls that changed what is stored.
func (f *Firewall) Writes() int { return f.count(&f.writes) }

// Loads counts how often Dnsmasq was started.
func (f *Firewall) Loads() int { return f.count(&f.dnsmasq.loads) }

// KeaLoads counts how often Kea was started.
func (f *Firewall) KeaLoads() int { return f.count(&f.kea.loads) }

// Refused counts requests with a wrong key.
func (f *Firewall) Refused() int { return f.count(&f.refused) }

func (f *Firewall) count(n *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *n
}

// Running reports whether Dnsmasq runs.
func (f *Firewall) Running() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dnsmasq.running
}

// KeaRunning reports whether Kea runs.
func (f *Firewall) KeaRunning() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kea.running
}

// Asked are all requests: "POST /api/dnsmasq/service/restart".
func (f *Firewall) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// Fault is asked before each request; n counts from 1. It may call the Firewall's methods, so that somebody edits
// between two requests. nil: nothing goes wrong any more.
func (f *Firewall) Fault(fault func(n int, r *http.Request) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.faultN = fault, 0
}

// Break makes every start of a DHCP server fail from now on, or no more, and the API answer ok nevertheless.
func (f *Firewall) Break(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = broken
}

// Stop ends Dnsmasq and Kea, as a crash does.
func (f *Firewall) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dnsmasq.running, f.kea.running = false, false
}

// start starts both DHCP servers. The caller holds the lock, or nobody else knows of f.
func (f *Firewall) start() {
	f.startDnsmasq()
	f.startKea()
}

func (f *Firewall) startDnsmasq() {
	load := f.opts.Load
	if load == nil {
		load = dnsmasqtest.Check
	}
	f.dnsmasq.start(f, f.conf.Dnsmasq.Enable, func() error { return load(f.dnsmasqConf()) })
}

func (f *Firewall) startKea() {
	f.kea.start(f, f.conf.Kea.Enabled, func() error {
		if f.opts.LoadKea == nil {
			return nil
		}
		return f.opts.LoadKea(f.keaConf())
	})
}

func (d *daemon) start(f *Firewall, enabled bool, load func() error) {
	d.running = false
	if !enabled {
		return
	}
	d.loads++
	d.slow = f.opts.SlowStart
	d.running = !f.broken && load() == nil
}

// since reports whether the firewall is of that version or newer.
func (f *Firewall) since(version ...int) bool { return slices.Compare(f.version[:], version) >= 0 }
