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
		if s.SinglePort {
			if t := s.table.find(key{sock, client}); t != nil && !t.over.Load() {
				s.loop.post(packetFor(t, b, nil))
				return
			}
		}
		if b[1] != opERROR && len(b) >= headerLen && b[0] == 0 && s.served(client.Addr()) {
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
	ask := boot.Ask{
		Proto: boot.TFTP, Client: client, Local: local, Name: r.name,
		Facts: boot.NameFacts(r.name),
		Class: boot.ClassifyTFTP(boot.TFTPShape{Name: r.name, Options: r.options, Port: client.Port()}),
	}
	switch {
	case !s.served(client.Addr()):
		s.refused(ask, now, errForeign)
	case bad != nil:
		s.refuse(sock, dst, client, codeIllegal, "malformed request")
		s.refused(ask, now, bad)
	case r.write:
		s.refuse(sock, dst, client, codeIllegal, "this server is read only")
		s.refused(ask, now, errWrite)
	case r.mode != "octet" && !r.netascii:
		s.refuse(sock, dst, client, codeIllegal, "mode is neither octet nor netascii")
		s.refused(ask, now, errMode)
	default:
		t := &transfer{
			server: s, key: key{sock, client}, raw: string(b), request: r, device: nic.mtu,
			end: boot.Transfer{Ask: ask, Artifact: boot.NoFile, Start: now},
		}
		if s.SinglePort {
			t.wire = sock.share(local, client)
		}
		switch s.table.add(t) {
		case full:
			s.refused(ask, now, errFull)
		case closing:
			s.refused(ask, now, errStopping)
		case added, same:
		}
	}
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

// refuse sends an ERROR from the listening port.
func (s *Server) refuse(sock *socket, from netip.Addr, client netip.AddrPort, code uint16, text string) {
	b := appendError(make([]byte, 0, 64), code, text)
	if _, _, err := sock.conn.WriteMsgUDPAddrPort(b, sock.control(from), client); err != nil {
		s.Log.Debug("sending an ERROR", "client", client, "err", err)
	}
}

// refused tells of a request that was not begun.
func (s *Server) refused(ask boot.Ask, start time.Time, err error) {
	s.Observer.Begin(ask)
	s.finish(boot.Transfer{Ask: ask, Artifact: boot.NoFile, Outcome: boot.Refused, Start: start, Err: err})
}
