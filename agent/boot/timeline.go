package boot

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

const (
	trackedRuns = 4096 // boots that are followed: those under way, and those that ended a while ago
	// of these, machines that were given nothing yet: such a request is easily forged
	trackedProvisional = 256
	trackedFlight      = 8192             // requests under way
	flightLimit        = 12 * time.Hour   // of a request whose end was not told
	settle             = 15 * time.Second // a machine with its kernel that asks for nothing so long has all it wants
	linger             = time.Hour        // what a machine fetches so long after its boot ended is part of that boot
	defaultStall       = 5 * time.Minute
	// missingSettle is how long firmware that was given no boot file asks for nothing before that is told.
	missingSettle = 5 * time.Second
	// quickProvisional is how many machines that were given nothing are told of so soon: their addresses may be forged.
	quickProvisional = 32
	boundFiles       = 64  // in Boot.Files
	boundName        = 200 // bytes of Fetch.Name
	boundHave        = 256 // files of one boot that are remembered as fetched
	boundAddrs       = 4   // addresses of one machine in one boot
)

// TrackerConfig is what a Tracker asks others. The zero TrackerConfig asks nobody.
type TrackerConfig struct {
	// Stall is how long a machine may ask for nothing before its boot is over; 0: five minutes.
	Stall time.Duration
	// MenuWait is how long a menu waits for a person, in addition to Stall; nil: not at all.
	MenuWait func() time.Duration
	// Neighbour is the MAC that has an address on the wire, "" where that is not known.
	Neighbour func(netip.Addr) string
	// Wants are the URL paths of all files that belong with a kernel; none: not known.
	Wants func(kernel string) []string
	// Name is what the configuration calls a machine, and the menu what it boots. kernel is a URL path, or "".
	Name func(f Facts, addr netip.Addr, kernel string) Named
}

// Named is what the configuration says of a machine. None of it comes from the wire.
type Named struct{ Host, Profile, Item string }

// Tracker makes boots of requests. It has no clock: whoever feeds it does, and calls Tick each second or so. Its memory
// is bounded whatever it is told. It is not safe for use from many goroutines at once.
//
// A machine is its MAC: the one that iPXE told, else the one that the neighbour table has for its address, else the
// address stands for it.
type Tracker struct {
	TrackerConfig
	runs        map[*run]struct{}
	byMAC       map[string]*run
	byAddr      map[netip.Addr]*run
	flights     map[flight]*inFlight
	lastID      int64
	underWay    int
	provisional int // runs that were given nothing yet

	changed []*run
	ended   []Boot
	gone    []Boot
}

// flight is a request under way: no client has two on one port.
type flight struct {
	proto  Proto
	client netip.AddrPort
}

type inFlight struct {
	run   *run
	since time.Time
	name  string
}

// NewTracker makes a Tracker that knows of no machine.
func NewTracker(c TrackerConfig) *Tracker {
	if c.Stall <= 0 {
		c.Stall = defaultStall
	}
	if c.MenuWait == nil {
		c.MenuWait = func() time.Duration { return 0 }
	}
	if c.Neighbour == nil {
		c.Neighbour = func(netip.Addr) string { return "" }
	}
	if c.Wants == nil {
		c.Wants = func(string) []string { return nil }
	}
	if c.Name == nil {
		c.Name = func(Facts, netip.Addr, string) Named { return Named{} }
	}
	return &Tracker{
		TrackerConfig: c,
		runs:          map[*run]struct{}{},
		byMAC:         map[string]*run{},
		byAddr:        map[netip.Addr]*run{},
		flights:       map[flight]*inFlight{},
	}
}

// Begin takes a request that came now. What its boot is, if it is one's first, is known only when it ends.
func (t *Tracker) Begin(a *Ask, now time.Time) {
	addr := plainAddr(a.Client.Addr())
	r := t.byAddr[addr]
	if r == nil {
		r = t.byMAC[a.Facts.MAC]
	}
	if r == nil || a.Class == Tool || len(t.flights) >= trackedFlight {
		return
	}
	t.land(flight{a.Proto, a.Client})
	t.flights[flight{a.Proto, a.Client}] = &inFlight{r, now, cutName(a.Name)}
	r.busy++
	if r.underWay() {
		r.boot.Fetching = cutName(a.Name)
		t.touch(r)
	}
}

// land forgets a request that is under way, and returns whose it was thought to be when it began.
func (t *Tracker) land(f flight) *run {
	a := t.flights[f]
	if a == nil {
		return nil
	}
	delete(t.flights, f)
	if a.run.busy--; a.run.busy == 0 && a.run.boot.Fetching != "" {
		a.run.boot.Fetching = ""
		t.touch(a.run)
	}
	return a.run
}

// End takes a request that ended. Its time is that of the request.
func (t *Tracker) End(tr *Transfer) {
	began := t.land(flight{tr.Proto, tr.Client})
	addr := plainAddr(tr.Client.Addr())
	if tr.Artifact == Internal || tr.Class == Tool || !addr.IsValid() {
		return // whoever watches, and people with tools
	}
	end := tr.Start.Add(tr.Took)
	r, mac := t.machine(tr, addr, end)
	switch {
	case tr.Outcome == SizeProbe || tr.Outcome == Refused:
		return
	case r != nil && r.goesOn(tr):
		t.know(r, addr, mac)
		t.goOn(r, tr, end)
		return
	case r != nil && began != nil && began != r && !began.underWay() && tr.Start.Before(r.boot.Started):
		r = began // the machine was switched off in the middle of it
		t.add(r, tr, end)
		t.touch(r)
		return
	case r == nil && !begins(tr):
		return
	case r == nil:
		r = t.begin(tr, nil)
	case r.startsNewBoot(tr, end, t.Stall), t.asksAnew(r, tr):
		if r.underWay() {
			t.finish(r, r.boot.Updated, "a new boot began")
		}
		r = t.begin(tr, r)
	}
	t.identify(r, tr, addr, mac)
	t.add(r, tr, end)
	t.touch(r)
}

// Drop takes a request that ended and is to be in no boot.
func (t *Tracker) Drop(a *Ask) { t.land(flight{a.Proto, a.Client}) }

// Looped takes what Loops found, and what a person can do about it.
func (t *Tracker) Looped(l Loop, note string) {
	r := t.byAddr[plainAddr(l.Client)]
	if r == nil || !r.underWay() {
		return
	}
	r.boot.Result, r.boot.File, r.boot.Note = Looped, cutName(l.File), note
	t.close(r, r.boot.Updated)
}

// Tick ends boots whose machines are silent.
func (t *Tracker) Tick(now time.Time) {
	for f, a := range t.flights {
		if now.Sub(a.since) > flightLimit {
			t.land(f)
		}
	}
	for r := range t.runs {
		idle := now.Sub(r.boot.Updated)
		switch {
		case r.busy > 0:
		case !r.underWay():
			if idle > linger {
				t.forget(r)
			}
		case r.likelyDone() && idle >= min(settle, t.Stall), idle >= t.patience(r):
			t.finish(r, r.boot.Updated, "")
		case r.foundNothing() && idle >= missingSettle && t.provisional <= quickProvisional:
			t.finish(r, r.boot.Updated, "")
		}
	}
}

// patience is how long a machine may be silent.
func (t *Tracker) patience(r *run) time.Duration {
	if r.boot.At == StageScript && r.failed == nil {
		return t.Stall + max(t.MenuWait(), 0)
	}
	return t.Stall
}

// Resume takes boots that were under way when the agent stopped.
func (t *Tracker) Resume(boots []Boot) {
	for _, b := range boots {
		if id, err := strconv.ParseInt(b.ID, 36, 64); err == nil {
			t.lastID = max(t.lastID, id)
		}
		if b.Result != UnderWay {
			continue
		}
		b.Fetching = ""
		r := &run{boot: cloneBoot(b), provisional: b.At == "", identified: b.Facts.MAC != ""}
		t.track(r)
		t.know(r, b.Addr, b.MAC)
		for _, f := range r.boot.Files {
			r.recall(f)
		}
		t.wants(r)
	}
}

// UnderWay counts the boots that are under way, machines that were given nothing yet left out.
func (t *Tracker) UnderWay() int { return t.underWay }

// Take gives the boots that changed since it was called last, each as it is now, and those that ended since, as they
// ended. A boot with Into is none any more.
func (t *Tracker) Take() (changed, ended []Boot) {
	for _, r := range t.changed {
		r.dirty = false
		if !r.provisional || !r.underWay() {
			changed = append(changed, cloneBoot(r.boot))
		}
	}
	changed, ended = append(changed, t.gone...), t.ended
	t.changed, t.ended, t.gone = nil, nil, nil
	return changed, ended
}

func cloneBoot(b Boot) Boot {
	b.Stages, b.Files = append([]Span{}, b.Stages...), append([]Fetch{}, b.Files...)
	return b
}

// touch notes that a boot changed.
func (t *Tracker) touch(r *run) {
	if !r.dirty {
		r.dirty = true
		t.changed = append(t.changed, r)
	}
}

// begin starts a boot with a request of a machine; before is its last one, or nil.
func (t *Tracker) begin(tr *Transfer, before *run) *run {
	t.room()
	t.lastID = max(t.lastID+1, tr.Start.UnixMicro())
	r := &run{provisional: true, boot: Boot{
		ID: fmt.Sprintf("%010s", strconv.FormatInt(t.lastID, 36)), Arch: archUnknown, Firmware: FirmwareOther,
		Started: tr.Start, Updated: tr.Start, Stages: []Span{}, Files: []Fetch{},
	}}
	if before != nil {
		r.boot.MAC, r.boot.Addr, r.identified, r.macs = before.boot.MAC, before.boot.Addr, before.identified, before.macs
		if tr.Artifact != NBP && !tr.LoopBroken { // the same firmware goes on
			r.boot.Facts, r.boot.Arch, r.boot.Firmware = before.boot.Facts, before.boot.Arch, before.boot.Firmware
		}
		r.addrs = before.addrs
		for _, a := range r.addrs {
			t.byAddr[a] = r
		}
		for _, mac := range r.macs {
			t.byMAC[mac] = r
		}
		before.addrs, before.macs = nil, nil
		t.forget(before)
	}
	t.track(r)
	return r
}
