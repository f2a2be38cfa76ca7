package tftp

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/boot"
)

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

var (
	errForeign  = errors.New("not in the networks that are served")
	errWrite    = errors.New("a write request, and this server is read only")
	errMode     = errors.New("mode is neither octet nor netascii")
	errFull     = errors.New("too many transfers at once")
	errStopping = errors.New("the server is stopping")
)

// packet takes what came to the listening port.
func (s *Server) packet(sock *socket, b, control []byte, client netip.AddrPort) {
	if len(b) < 2 || client.Port() == 0 {
		return
	}
	switch b[1] {
	case opRRQ, opWRQ:
		if b[0] == 0 {
			s.request(sock, b, control, client)
		}
	case opACK, opDATA, opERROR:
		now := time.Now()
		if s.SinglePort {
			if t := s.table.find(key{sock, client}); t != nil && !t.over.Load() {
				s.loop.post(packetFor(t, b, nil))
				return
			}
		}
		// One whose transfer was evicted would end its boot at an ERROR. It asks again after silence.
		if b[1] != opERROR && len(b) >= headerLen && b[0] == 0 && s.served(client.Addr()) && !s.table.evictedLately(now) {
			dst, _ := sock.destination(control)
			s.refuse(sock, dst, client, codeUnknownTID, "unknown transfer ID")
		}
	}
}

// request takes an RRQ or WRQ.
func (s *Server) request(sock *socket, b, control []byte, client netip.AddrPort) {
	now := time.Now()
	dst, index := sock.destination(control)
	nic := s.nics.at(index, now)
	if dst.IsMulticast() || dst == limitedBroadcast || slices.Contains(nic.broadcast, dst) {
		return // RFC 1123 section 4.2.3.5
	}
	local := sock.local
	if local.Addr().IsUnspecified() && dst.IsValid() {
		local = netip.AddrPortFrom(dst, local.Port())
	}
	r, bad := parseRequest(b)
	ask := asking(r, client, local)
	switch {
	case !s.served(client.Addr()):
		s.refused(ask, now, errForeign)
	case bad != nil:
		s.illegal(sock, dst, ask, "malformed request", now, bad)
	case r.write:
		s.illegal(sock, dst, ask, "this server is read only", now, errWrite)
	case r.mode != "octet" && !r.netascii:
		s.illegal(sock, dst, ask, "mode is neither octet nor netascii", now, errMode)
	case s.SinglePort && s.strangers.barred.has(client.Addr(), now):
		s.ignored.Add(1)
	default:
		t := s.newTransfer(place{sock, local, nic.mtu}, client, string(b), r, ask, now)
		switch s.table.add(t) {
		case full:
			s.refused(ask, now, errFull)
		case closing:
			s.refused(ask, now, errStopping)
		case waits:
			if s.warnings.allow(1, now) {
				s.Log.Warn("more TFTP requests than may be answered: machines that are new wait", "waiting", s.table.waits.Load())
			}
		case silent:
			s.ignored.Add(1)
		case added, same:
		}
	}
}

func (s *Server) newTransfer(
	at place, client netip.AddrPort, raw string, r request, ask boot.Ask, now time.Time,
) *transfer {
	t := &transfer{
		server: s, key: key{at.sock, client}, raw: raw, request: r, device: at.device,
		stranger: !s.strangers.proven.has(client.Addr(), now),
		end:      boot.Transfer{Ask: ask, Artifact: boot.NoFile, Start: now},
	}
	t.limited = t.stranger && s.SinglePort
	t.begun = !t.stranger || s.news.allow(1, now)
	if s.SinglePort {
		t.wire = at.sock.share(at.local, client, func() { s.refusals(at.sock) })
	}
	return t
}

// revived is a request whose turn has come.
func (s *Server) revived(at place, client netip.AddrPort, raw string) *transfer {
	r, _ := parseRequest([]byte(raw))
	return s.newTransfer(at, client, raw, r, asking(r, client, at.local), time.Now())
}

// asking is what is known of who asks.
func asking(r request, client, local netip.AddrPort) boot.Ask {
	return boot.Ask{
		Proto: boot.TFTP, Client: client, Local: local, Name: r.name,
		Facts: boot.NameFacts(r.name),
		Class: boot.ClassifyTFTP(boot.TFTPShape{Name: r.name, Options: r.options, Port: client.Port()}),
	}
}

// lastWords is how long what a client sent before ICMP said that it is gone may wait to be read: its last ACK.
const lastWords = 100 * time.Millisecond

// refusals ends the transfers of a single port whose clients ICMP says are not there, and reports whether there were
// any.
func (s *Server) refusals(sock *socket) bool {
	all := sock.refusals()
	for _, client := range all {
		if t := s.table.find(key{sock, client}); t != nil {
			time.AfterFunc(lastWords, func() { t.tell(unreachable) })
		}
	}
	return len(all) > 0
}

func (s *Server) served(a netip.Addr) bool {
	if len(s.Networks) == 0 {
		return true
	}
	a = a.WithZone("")
	for _, n := range s.Networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// illegal answers a request that is not one for a file.
func (s *Server) illegal(sock *socket, from netip.Addr, ask boot.Ask, text string, now time.Time, err error) {
	if !s.refuse(sock, from, ask.Client, codeIllegal, text) {
		s.ignored.Add(1)
	}
	s.refused(ask, now, err)
}

// refuse sends an ERROR from the listening port, unless too much was sent to addresses that have not answered.
func (s *Server) refuse(sock *socket, from netip.Addr, client netip.AddrPort, code uint16, text string) bool {
	b := appendError(make([]byte, 0, 64), code, text)
	if now := time.Now(); !s.strangers.proven.has(client.Addr(), now) && !s.table.budget.allow(headers+len(b), now) {
		return false
	}
	if _, _, err := sock.conn.WriteMsgUDPAddrPort(b, sock.control(from), client); err != nil {
		s.Log.Debug("sending an ERROR", "client", client, "err", err)
	}
	return true
}

// refused tells of a request that was not begun, unless there are too many.
func (s *Server) refused(ask boot.Ask, start time.Time, err error) {
	if !s.news.allow(1, start) {
		s.unreported.Add(1)
		return
	}
	s.Observer.Begin(&ask)
	s.finish(boot.Transfer{Ask: ask, Artifact: boot.NoFile, Outcome: boot.Refused, Start: start, Err: err})
}
