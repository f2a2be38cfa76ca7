package boot

import (
	"net/netip"
	"slices"
	"time"
)

const (
	loopFetches = 3               // of an NBP, with nothing else between
	loopWindow  = 5 * time.Minute // in which these are a loop: one round takes 7 to 20 s
	loopClients = 1024            // machines that are remembered
)

// Loop is a machine that fetches its NBP again and again and never comes to a script.
type Loop struct {
	Client  netip.Addr
	File    string    // the NBP's name as it was last asked for, hostile
	Classes []Class   // who asked, in order
	Proto   Proto     // of the last request
	Since   time.Time // the first of these fetches
}

// Loops finds such machines among all transfers. It remembers a bounded number of them. The zero Loops is ready; it is
// not safe for use from many goroutines at once.
//
// A machine is an address, since that is all that a request shows. Firmware and the iPXE that it loads may be given
// different ones by the DHCP server; so a script that goes to an address that fetched no NBP is taken for the end of
// the boot of the firmware that fetched one last. With many machines behind one address there may be an alarm too many.
type Loops struct {
	clients map[netip.Addr]*fetches
}

// fetches are the last ones of a client, with nothing else between.
type fetches struct {
	at      [loopFetches]time.Time // the newest last; zero: none
	classes [loopFetches]Class
	told    bool
}

func (f *fetches) last() time.Time { return f.at[loopFetches-1] }

// See takes a transfer that ended now. It reports a loop once, when it is seen first; again only after the machine has
// come further, or has been silent for five minutes.
func (l *Loops) See(t *Transfer, now time.Time) (Loop, bool) {
	client := t.Client.Addr().Unmap()
	switch {
	case t.Outcome != OK, t.Artifact == Internal, t.Class == Tool, !client.IsValid():
		return Loop{}, false // a failed fetch is another illness, and people with tools fetch what they like
	case t.Artifact != NBP:
		l.further(t, client, now)
		return Loop{}, false
	}
	f := l.clients[client]
	if f == nil || now.Sub(f.last()) > loopWindow {
		f = &fetches{}
		l.remember(client, f, now)
	}
	copy(f.at[:], f.at[1:])
	copy(f.classes[:], f.classes[1:])
	f.at[loopFetches-1], f.classes[loopFetches-1] = now, t.Class
	if first := f.at[0]; f.told || first.IsZero() || now.Sub(first) > loopWindow {
		return Loop{}, false
	}
	f.told = true
	return Loop{Client: client, File: t.Name, Classes: slices.Clone(f.classes[:]), Proto: t.Proto, Since: f.at[0]}, true
}

// further: a client has come to something that is not an NBP.
func (l *Loops) further(t *Transfer, client netip.Addr, now time.Time) {
	if _, ok := l.clients[client]; ok {
		delete(l.clients, client)
		return
	}
	if t.Class != IPXE || t.Artifact != Script {
		return
	}
	var latest netip.Addr
	for a, f := range l.clients {
		if c := f.classes[loopFetches-1]; c != UEFI && c != BIOSROM || now.Sub(f.last()) > loopWindow {
			continue
		}
		if !latest.IsValid() || f.last().After(l.clients[latest].last()) {
			latest = a
		}
	}
	delete(l.clients, latest)
}

// remember makes room first where there is none: what is too old goes, or else what is oldest.
func (l *Loops) remember(client netip.Addr, f *fetches, now time.Time) {
	if l.clients == nil {
		l.clients = map[netip.Addr]*fetches{}
	}
	if len(l.clients) >= loopClients {
		var oldest netip.Addr
		for a, f := range l.clients {
			if now.Sub(f.last()) > loopWindow {
				delete(l.clients, a)
			} else if !oldest.IsValid() || f.last().Before(l.clients[oldest].last()) {
				oldest = a
			}
		}
		if len(l.clients) >= loopClients {
			delete(l.clients, oldest)
		}
	}
	l.clients[client] = f
}
