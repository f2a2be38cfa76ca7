package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/pihole"
	"pxeagent/dnsmasq/pihole/piholetest"
)

// piholeStandIn is the Pi-hole of the demonstration. Its network is loopback.
type piholeStandIn struct {
	*piholetest.Pihole
	standInFiles
	daemon *dnsmasqtest.Daemon
	before []string
}

func newPiholeStandIn(dir string) (StandIn, error) {
	password := rand.Text()
	files, err := newStandInFiles(dir, password)
	if err != nil {
		return nil, err
	}
	s := &piholeStandIn{standInFiles: files}
	if s.daemon, err = dnsmasqtest.Start(standInNetwork, loopback.Addr()); err != nil {
		return nil, err
	}
	conf := piholetest.Default()
	conf.Start, conf.End, conf.Netmask = "127.0.0.100", "127.0.0.149", "255.0.0.0"
	s.before = conf.Lines
	s.Pihole, err = piholetest.New(piholetest.Options{
		Config: &conf, App: password, Password: rand.Text(), Load: s.daemon.Load,
		Interfaces: []piholetest.Interface{{Name: standInNetwork, Address: netip.PrefixFrom(loopback.Addr(), 8)}},
	})
	if err != nil {
		s.daemon.Close()
		return nil, err
	}
	return s, nil
}

// Close ends both.
func (s *piholeStandIn) Close() {
	s.Pihole.Close()
	s.daemon.Close()
}

// DHCP is where it answers.
func (s *piholeStandIn) DHCP() netip.AddrPort { return s.daemon.Addr() }

// Trust looks at the certificate, as pihole trust does.
func (s *piholeStandIn) Trust(ctx context.Context) (string, error) { return trusted(ctx, "Pi-hole", s) }

// Open opens it with its certificate pinned.
func (s *piholeStandIn) Open(bool) (dhcp.Server, error) {
	return pihole.New(pihole.Config{Config: s.reach(s), Interface: standInNetwork, Password: s.credential})
}

// Way is the only one.
func (s *piholeStandIn) Way(dhcp.Server) string { return "its API at " + s.URL().String() }

// Unchanged fails unless the lines are again what they were at first.
func (s *piholeStandIn) Unchanged() error {
	if !slices.Equal(s.Config().Lines, s.before) {
		return errors.New("after the revert the Pi-hole's lines are not what they were")
	}
	return nil
}

// Visit is how a person asks it something.
func (s *piholeStandIn) Visit() string {
	return fmt.Sprintf("  pxeagent pihole interfaces --pihole %s --pihole-password-file %s --pihole-tls-sha256 %x\n",
		s.URL(), s.secret, s.Fingerprint())
}
