package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/opnsense"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// opnSenseStandIn is the firewall of the demonstration. Its interface is loopback.
type opnSenseStandIn struct {
	*opnsensetest.Firewall
	standInFiles
	daemon *dnsmasqtest.Daemon
	before opnsensetest.Config
}

func newOPNsenseStandIn(dir string) (StandIn, error) {
	s := &opnSenseStandIn{}
	var err error
	if s.daemon, err = dnsmasqtest.Start("lo0", loopback.Addr()); err != nil {
		return nil, err
	}
	conf := opnsensetest.Default()
	conf.Interfaces = []opnsensetest.Interface{
		{ID: "opt1", Description: strings.ToUpper(standInNetwork), Device: "lo0",
			Address: netip.PrefixFrom(loopback.Addr(), 8)},
	}
	conf.Dnsmasq.Interfaces = []string{"opt1"}
	conf.Dnsmasq.Ranges = []opnsensetest.Range{
		{Interface: "opt1", StartAddr: "127.0.0.100", EndAddr: "127.0.0.149", SubnetMask: "255.0.0.0"},
	}
	s.Firewall, err = opnsensetest.New(opnsensetest.Options{
		Config: &conf, Load: s.daemon.Load,
		Privileges: []string{opnsensetest.PrivilegeDnsmasq, opnsensetest.PrivilegeInterfaces},
	})
	if err != nil {
		s.daemon.Close()
		return nil, err
	}
	s.before = s.Config()
	if s.standInFiles, err = newStandInFiles(dir, strings.TrimSpace(opnsensetest.Key)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends both.
func (s *opnSenseStandIn) Close() {
	s.Firewall.Close()
	s.daemon.Close()
}

// DHCP is where it answers.
func (s *opnSenseStandIn) DHCP() netip.AddrPort { return s.daemon.Addr() }

// Trust looks at the certificate, as opnsense trust does.
func (s *opnSenseStandIn) Trust(ctx context.Context) (string, error) {
	return trusted(ctx, "firewall", s)
}

// Open opens it with its certificate pinned.
func (s *opnSenseStandIn) Open(bool) (dhcp.Server, error) {
	return opnsense.New(opnsense.Config{Config: s.reach(s), Interface: standInNetwork, Credential: s.credential})
}

// Way is the only one.
func (s *opnSenseStandIn) Way(dhcp.Server) string { return "its API at " + s.URL().String() }

// Unchanged fails unless the entries are again what they were at first. What OPNsense itself stores with the first
// change stays: the defaults of its pages, and uuids of the factory's ranges.
func (s *opnSenseStandIn) Unchanged() error {
	now, was := s.Config().Dnsmasq, s.before.Dnsmasq
	rows := slices.Equal(now.Tags, was.Tags) && slices.Equal(now.Options, was.Options)
	if !rows || !slices.Equal(now.Boots, was.Boots) {
		return errors.New("after the revert the firewall's entries are not what they were")
	}
	return nil
}

// Visit is how a person asks it something.
func (s *opnSenseStandIn) Visit() string {
	return fmt.Sprintf("  pxeagent opnsense interfaces --opnsense %s --opnsense-key-file %s --opnsense-tls-sha256 %x\n",
		s.URL(), s.secret, s.Fingerprint())
}
