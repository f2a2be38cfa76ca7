// Package pfsensetest is a fake pfSense for tests and for the demonstration: its configuration in memory, its web
// server with the REST package and XML-RPC, and its DHCP server, which answers on the network as ISC's or Kea's would.
// Its answers are recorded from the real code. It runs no PHP and no shell: the two programs of pxeagent are recognized
// by their first line and carried out in Go, and so are the commands that upload them; everything else is answered like
// invalid code or commands.
package pfsensetest

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"
)

// Options configure a Firewall. Each zero value is usable.
type Options struct {
	Listen  string // where the web server listens; "": any port of 127.0.0.1
	Config  Tree   // nil: Default()
	Release string // /etc/version; "": "2.9.0-DEVELOPMENT"

	Users []User // nil: admin with password pfsense and every privilege
	Keys  []Key  // API keys of the REST package

	// LockOut is the number of rejected logins after which connections are dropped, as the firewall's brute-force
	// protection does. 0: never.
	LockOut int
	Clock   func() time.Time // nil: time.Now
	// Started is called with the settings that a DHCP daemon was started with, and with nil where none runs after that: a
	// real one can stand in for this package's. The firewall waits for it, and it must not call the firewall. nil: nobody
	// is told.
	Started func(Tree)
}

// User is a local user of the firewall.
type User struct {
	Name, Password string
	Privileges     []string // such as "page-all", "system-xmlrpc-ha-sync"
}

// Key is an API key of the REST package, with its user's privileges.
type Key struct{ Value, User string }

// Revision is an entry of the configuration history.
type Revision struct {
	Time    time.Time
	Message string // starts with the user
	Version string
}

// Firewall is a fake firewall, serving until Close. Its methods may be called while it serves.
type Firewall struct {
	server *httptest.Server
	secret [32]byte // signs tokens
	dhcp   sync.WaitGroup

	program sync.Mutex // pxeagent's own lock: one of its programs at a time

	mu       sync.Mutex
	opts     Options
	cert     certificate
	saved    Tree // config.xml
	loaded   Tree // what the DHCP daemon runs with; nil: it is not running
	dirty    bool
	history  []Revision // newest first
	writes   int
	loads    int
	failing  int // loads after which the daemon will not start
	between  map[Moment]func(Tree)
	faults   []*Fault
	held     []chan struct{}    // of those that wait for a question to the DHCP server
	files    map[string]*upload // in /tmp
	requests []Request
	refused  int // logins
	leases   map[string]*leases
	sockets  []net.PacketConn
	closed   bool
}

// New starts a firewall whose DHCP server runs with its configuration. It must be closed.
func New(o Options) (*Firewall, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Config == nil {
		o.Config = Default()
	}
	if o.Release == "" {
		o.Release = "2.9.0-DEVELOPMENT"
	}
	if o.Users == nil {
		o.Users = []User{{Name: "admin", Password: "pfsense", Privileges: []string{everything}}}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	f := &Firewall{opts: o, saved: o.Config.Clone(), between: map[Moment]func(Tree){}, files: map[string]*upload{},
		leases: map[string]*leases{}}
	rand.Read(f.secret[:])
	f.history = []Revision{{Time: o.Clock(), Message: "(system): Initial configuration", Version: f.version()}}
	f.load()
	f.loads = 0
	var err error
	if f.cert, err = newCertificate(); err != nil {
		return nil, fmt.Errorf("making the firewall's certificate: %w", err)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("starting the firewall's web server: %w", err)
	}
	f.server = &httptest.Server{Listener: l, TLS: f.tlsConfig(), Config: &http.Server{
		Handler: f, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), // handshakes that a client aborts
	}}
	f.server.StartTLS()
	return f, nil
}

// Close stops the web server and the DHCP server and waits for both.
func (f *Firewall) Close() {
	f.mu.Lock()
	f.closed = true
	for _, s := range f.sockets {
		s.Close()
	}
	f.mu.Unlock()
	f.server.Close()
	f.dhcp.Wait()
}

// URL is the web server's URL: https, host and port.
func (f *Firewall) URL() *url.URL {
	return &url.URL{Scheme: "https", Host: f.server.Listener.Addr().String()}
}

// Edit changes the configuration as Save in the web interface does: a revision with this message, and nothing is
// loaded.
func (f *Firewall) Edit(message string, edit func(Tree)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f.saved)
	f.revision("admin@192.168.1.20 (Local Database): " + message)
}

// SetDirty sets whether there are DHCP settings that were saved but not applied.
func (f *Firewall) SetDirty(dirty bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty = dirty
}

// Apply loads the DHCP settings as Apply in the web interface does.
func (f *Firewall) Apply() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.load()
	f.dirty = false
}

// StopDHCP stops the DHCP daemon, as a crash does.
func (f *Firewall) StopDHCP() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded = nil
}

// Saved is a copy of config.xml.
func (f *Firewall) Saved() Tree {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saved.Clone()
}

// Loaded is a copy of the settings that the DHCP daemon runs with; nil if it is not running.
func (f *Firewall) Loaded() Tree {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loaded.Clone()
}

// Keys are the network boot settings of an interface in config.xml; nil if it has no DHCP settings.
func (f *Firewall) Keys(id string) Keys {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys(id)
}

// History lists the revisions of config.xml, the newest first.
func (f *Firewall) History() []Revision {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Revision(nil), f.history...)
}

// Writes and Loads count how often pxeagent's programs wrote config.xml, and how often DHCP settings were loaded by
// anybody, since New.
func (f *Firewall) Writes() int { return f.count(&f.writes) }
func (f *Firewall) Loads() int  { return f.count(&f.loads) }

// Refused is the number of rejected logins.
func (f *Firewall) Refused() int { return f.count(&f.refused) }

func (f *Firewall) count(n *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *n
}

func (f *Firewall) keys(id string) Keys {
	section := f.saved.Under("dhcpd/" + id)
	if section == nil {
		return nil
	}
	return keysOf(section)
}

func (f *Firewall) version() string {
	text, _ := f.saved.Text("version")
	return text
}

func (f *Firewall) revision(message string) {
	f.history = append([]Revision{{Time: f.opts.Clock(), Message: message, Version: f.version()}}, f.history...)
}

// load restarts the DHCP daemon with the saved configuration.
func (f *Firewall) load() {
	f.loads++
	f.loaded = nil
	if f.failing > 0 {
		f.failing--
	} else if f.saved.startable() {
		f.loaded = f.saved.Clone()
	}
	if f.opts.Started != nil {
		f.opts.Started(f.loaded)
	}
}
