// Package piholetest is a stand-in Pi-hole for tests and for the demonstration: its configuration in memory, the part
// of its API that pxeagent uses, and what its Dnsmasq is given. Its answers are those of FTL 6's source.
package piholetest

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"pxeagent/dnsmasq/dnsmasqtest"
)

// Config is what somebody configured.
type Config struct {
	Lines         []string // misc.dnsmasq_lines
	EtcDir        bool     // misc.etc_dnsmasq_d
	ReadOnly      bool     // misc.readOnly
	Environment   bool     // misc.dnsmasq_lines comes from the environment
	Active        bool     // dhcp.active
	Start, End    string
	Netmask       string
	IgnoreUnknown bool
	Hosts         []string
	Interface     string // dns.interface
	Listening     string // dns.listeningMode
	AppSudo       bool   // webserver.api.app_sudo
}

// Interface is a device of its machine.
type Interface struct {
	Name    string
	Address netip.Prefix
}

// Options configure a Pihole. Each zero value is usable.
type Options struct {
	Config     *Config     // nil: Default()
	Interfaces []Interface // nil: eth0 with 10.77.0.1/24 and eth1 with 10.78.0.1/24
	Password   string      // the main one; "": everything is open
	App        string      // an app password; "": none
	TOTP       bool        // the main password needs a second factor
	// Load starts the Dnsmasq in it with the text of its configuration. nil: nothing answers DHCP.
	Load func(conf string) error
}

// Default leases addresses on eth0.
func Default() Config {
	return Config{
		Active: true, Start: "10.77.0.100", End: "10.77.0.199", Netmask: "255.255.255.0", Listening: "LOCAL",
		Lines: []string{"# the site's own", "dhcp-option=option:ntp-server,10.77.0.9"}, AppSudo: true,
	}
}

// Pihole serves until Close. Its methods may be called while it serves.
type Pihole struct {
	*dnsmasqtest.Web

	mu       sync.Mutex
	opts     Options
	conf     Config
	sessions map[string]bool // true: of the app password
	pid      int
	started  time.Time
	failed   string // why Dnsmasq does not run
	writes   int
	loads    int
	refused  int
	fault    func(*http.Request) (status int, drop bool)
	asked    []string
}

// New starts one. It must be closed.
func New(o Options) (*Pihole, error) {
	p := &Pihole{opts: o, sessions: map[string]bool{}, pid: 1000}
	if o.Config != nil {
		p.conf = *o.Config
	} else {
		p.conf = Default()
	}
	if p.opts.Interfaces == nil {
		p.opts.Interfaces = []Interface{
			{"eth0", netip.MustParsePrefix("10.77.0.1/24")}, {"eth1", netip.MustParsePrefix("10.78.0.1/24")},
		}
	}
	p.restart()
	p.loads = 0
	// From 6.3 on FTL renews its certificate two days before the old one ends.
	var err error
	p.Web, err = dnsmasqtest.Serve(p, "", "pi.hole", 47)
	return p, err
}

// Edit changes the configuration as a person does, and restarts.
func (p *Pihole) Edit(edit func(*Config)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit(&p.conf)
	p.restart()
}

// Save changes it and does not restart.
func (p *Pihole) Save(edit func(*Config)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit(&p.conf)
}

// Config is what is configured now.
func (p *Pihole) Config() Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.conf
	c.Lines, c.Hosts = slices.Clone(c.Lines), slices.Clone(c.Hosts)
	return c
}

// Writes, Loads and Refused count what API calls changed, how often Dnsmasq was started, and rejected logins.
func (p *Pihole) Writes() int  { return p.count(&p.writes) }
func (p *Pihole) Loads() int   { return p.count(&p.loads) }
func (p *Pihole) Refused() int { return p.count(&p.refused) }

func (p *Pihole) count(n *int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *n
}

// Sessions is how many are open.
func (p *Pihole) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sessions)
}

// Asked are all requests: "PATCH /api/config".
func (p *Pihole) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Fault is asked before each request: a status other than 0 is answered in place of the API; drop: the request is
// carried out, and its answer lost.
func (p *Pihole) Fault(f func(*http.Request) (status int, drop bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Conf is the configuration that FTL writes for its Dnsmasq.
func (c Config) Conf() string {
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	if (c.Listening == "SINGLE" || c.Listening == "BIND") && c.Interface != "" {
		say("interface=%s", c.Interface)
	}
	if c.Active {
		say("dhcp-authoritative")
		say("dhcp-range=%s,%s,%s,24h", c.Start, c.End, c.Netmask)
		if c.IgnoreUnknown {
			say("dhcp-ignore=tag:!known")
		}
		for _, h := range c.Hosts {
			say("dhcp-host=%s", h)
		}
	}
	say("#### Additional user configuration - START ####")
	for _, l := range c.Lines {
		say("%s", l)
	}
	say("#### Additional user configuration - END ####")
	return out.String()
}

// restart starts FTL again. The caller holds the lock, or nobody else knows of p.
func (p *Pihole) restart() {
	p.loads++
	p.pid++
	p.started, p.failed = time.Now(), ""
	if p.opts.Load == nil {
		return
	}
	if err := p.opts.Load(p.conf.Conf()); err != nil {
		p.failed = err.Error()
	}
}

// check is Dnsmasq's own test of a whole configuration.
func (c Config) check() error { return dnsmasqtest.Check(c.Conf()) }

// Forget ends all sessions, as a restart without webserver.session.restore does.
func (p *Pihole) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.sessions)
}
