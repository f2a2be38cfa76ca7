package agent

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"pxeagent/agent/tftp"
)

// Sockets are bound and not yet read.
type Sockets struct {
	tftp *tftp.Listener
	http *net.TCPListener
}

// Bind takes the ports, all or none. An address that is not valid stands for all of this machine's; port 0 for
// one that is free.
func Bind(tftpAt, httpAt netip.AddrPort) (*Sockets, error) { return Inherit(nil, tftpAt, httpAt) }

// ErrInherited: a socket that was passed to this process is none that it can serve.
var ErrInherited = errors.New("not a socket that can be served")

// Inherit takes sockets that a parent bound and passed, as systemd does: UDP for TFTP, one of TCP for HTTP. What is
// not among them is bound as by Bind. It closes the files.
func Inherit(passed []*os.File, tftpAt, httpAt netip.AddrPort) (*Sockets, error) {
	s := &Sockets{}
	udp, err := s.adopt(passed)
	if err == nil && len(udp) > 0 {
		if s.tftp, err = tftp.Inherit(udp...); err != nil {
			err = fmt.Errorf("%w: %w", ErrInherited, err)
		}
	}
	if err == nil && s.tftp == nil {
		s.tftp, err = listenTFTP(tftpAt)
	}
	if err == nil && s.http == nil {
		if s.http, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(httpAt)); err != nil {
			err = fmt.Errorf("HTTP: %w", err)
		}
	}
	if err != nil {
		for _, c := range udp {
			c.Close()
		}
		s.Close()
		return nil, err
	}
	return s, nil
}

// adopt sorts the sockets that were passed by what they are for, and returns those of UDP.
func (s *Sockets) adopt(passed []*os.File) (udp []*net.UDPConn, err error) {
	for _, f := range passed {
		// net makes a duplicate of its own.
		packets, notPackets := net.FilePacketConn(f)
		stream, notStream := net.FileListener(f)
		f.Close()
		conn, isUDP := packets.(*net.UDPConn)
		listener, isTCP := stream.(*net.TCPListener)
		switch {
		case notPackets == nil && isUDP:
			udp = append(udp, conn)
		case notStream == nil && isTCP && s.http == nil:
			s.http = listener
		default:
			for _, c := range []interface{ Close() error }{packets, stream} {
				if c != nil {
					c.Close()
				}
			}
			what := "neither UDP nor listening on TCP"
			if isTCP {
				what = "a second one of TCP: HTTP is served at one"
			}
			err = cmp.Or(err, fmt.Errorf("the socket %s that was passed: %w: %s", f.Name(), ErrInherited, what))
		}
	}
	return udp, err
}

func listenTFTP(at netip.AddrPort) (*tftp.Listener, error) {
	if !at.Addr().IsValid() {
		at = netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())
	}
	l, err := tftp.Listen(at)
	if err != nil {
		return nil, fmt.Errorf("TFTP: %w", err)
	}
	return l, nil
}

// TFTP is the address that TFTP is asked at.
func (s *Sockets) TFTP() netip.AddrPort { return s.tftp.Addrs()[0] }

// HTTP is the address that HTTP is asked at.
func (s *Sockets) HTTP() netip.AddrPort {
	return s.http.Addr().(*net.TCPAddr).AddrPort()
}

// Close gives the ports back.
func (s *Sockets) Close() error {
	var errs []error
	if s.tftp != nil {
		errs = append(errs, s.tftp.Close())
	}
	if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	return errors.Join(errs...)
}
