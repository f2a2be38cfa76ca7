package pfsensetest

import (
	"net/http"
	"slices"
	"time"
)

// Kind is what goes wrong with a request.
type Kind string

// The kinds of fault. Unless stated otherwise, the request is not carried out.
const (
	Unauthorized Kind = "unauthorized" // the login is rejected, and counted
	NoPrivilege  Kind = "no privilege" // the login is valid but lacks the privilege; XML-RPC counts it as rejected
	NotAllowed   Kind = "not allowed"  // REST: the client's address is not on the access list
	ReadOnly     Kind = "read only"    // REST: the package is in read-only mode
	Disabled     Kind = "disabled"     // REST: the package is disabled, 503
	Down         Kind = "down"         // the web server's own 503: PHP does not answer
	NoPackage    Kind = "no package"   // REST: the package is not installed, 404 in HTML
	Fatal        Kind = "fatal"        // a program ends with a PHP error
	Throw        Kind = "throw"        // XML-RPC: a program throws; REST: as Fatal
	NoResult     Kind = "no result"    // a program returns nothing
	NoText       Kind = "no text"      // REST: a command's output is not UTF-8, and the body is empty. It is carried out
	Print        Kind = "print"        // XML-RPC: something is printed before the answer. It is carried out
	Unsaved      Kind = "unsaved"      // a writing program: write_config fails, as on a full disk
	Unloaded     Kind = "unloaded"     // a writing program: it saves, and loading throws
	BadGateway   Kind = "bad gateway"  // the web server's 502: PHP is not there
	Killed       Kind = "killed"       // a writing program: it saves, the DHCP daemon is stopped, and PHP dies: 502
	GatewayTime  Kind = "gateway time" // a proxy's 504. It is carried out
	Slow         Kind = "slow"         // it is carried out, and answered after Delay, unless the client has disconnected
	Held         Kind = "held"         // it is carried out once the DHCP server has been asked since the fault was ordered
	CutBefore    Kind = "cut before"   // the connection is closed
	CutAfter     Kind = "cut after"    // it is carried out, and the connection is closed
	LoseChunk    Kind = "lose chunk"   // REST: a chunk is acknowledged but not written
	ChangeChunk  Kind = "change chunk" // REST: a chunk arrives with one character changed
)

// Fault makes requests fail.
type Fault struct {
	Kind  Kind
	Path  string // only requests for this path; "": any
	Op    string // only requests of this Request.Op; "": any
	Skip  int    // requests that succeed before
	Times int    // requests that fail then; 0: all
	// if set, requests fail for so long by Options.Clock, from the first that it meets. Times is not used
	For   time.Duration
	Delay time.Duration // of Slow

	until time.Time     // of For; zero: it met none yet
	free  chan struct{} // of Held; closed when it need not wait any longer
}

// Order adds a fault. If several match a request, the first one applies.
func (f *Firewall) Order(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.Kind == Held {
		fault.free = make(chan struct{})
		f.held = append(f.held, fault.free)
	}
	f.faults = append(f.faults, &fault)
}

// free lets requests go on that wait for a question to the DHCP server.
func (f *Firewall) free() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.held {
		close(c)
	}
	f.held = nil
}

// Heal removes all faults.
func (f *Firewall) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.failing = nil, 0
	clear(f.between)
}

// FailLoads makes the DHCP daemon fail to start the next n times that settings are loaded.
func (f *Firewall) FailLoads(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = n
}

// Moment is when somebody else edits config.xml while a program runs.
type Moment string

// The moments.
const (
	BeforeLock Moment = "before lock" // before a writing program looks at the settings
	AfterWrite Moment = "after write" // after it wrote, before it reads back
	AfterLoad  Moment = "after load"  // after the daemon was restarted with what it wrote
)

// EditAt runs edit once, at that moment of the next writing program.
func (f *Firewall) EditAt(m Moment, edit func(Tree)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.between[m] = edit
}

// happen runs the edit for a moment. f.mu is held.
func (f *Firewall) happen(m Moment) {
	if edit := f.between[m]; edit != nil {
		delete(f.between, m)
		edit(f.saved)
		f.revision("admin@192.168.1.20 (Local Database): edited meanwhile")
	}
}

// Request is one that was received. It holds no credential.
type Request struct {
	Method, Path string
	Op           string // "chunk", "read", "write", "remove" or ""
	Login        string // "Basic admin", "key", "token" or "none"
}

// Requests lists the requests so far.
func (f *Firewall) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// spoil records a request and returns the fault that applies to it, if any.
func (f *Firewall) spoil(r Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	for i, fault := range f.faults {
		if fault.Path != "" && fault.Path != r.Path || fault.Op != "" && fault.Op != r.Op {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		if fault.For > 0 {
			now := f.opts.Clock()
			if fault.until.IsZero() {
				fault.until = now.Add(fault.For)
			}
			if !now.Before(fault.until) {
				continue
			}
		}
		met := *fault
		if fault.Times == 1 {
			f.faults = slices.Delete(f.faults, i, i+1)
		} else if fault.Times > 1 {
			fault.Times--
		}
		return met, true
	}
	return Fault{}, false
}

// cut closes the connection of the request that is being answered.
func cut() { panic(http.ErrAbortHandler) }

// wait is the delay of a Slow answer. It ends if the client disconnects.
func wait(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
		cut()
	}
}

// SetClock replaces Options.Clock.
func (f *Firewall) SetClock(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opts.Clock = now
}
