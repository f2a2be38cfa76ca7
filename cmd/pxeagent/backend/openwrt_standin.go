package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"reflect"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/openwrt"
	"pxeagent/dnsmasq/openwrt/openwrttest"
)

// openWrtStandIn is the router of the demonstration. Its network is loopback.
type openWrtStandIn struct {
	*openwrttest.Router
	standInFiles
	daemon *dnsmasqtest.Daemon
	before []openwrttest.Section
}

func newOpenWrtStandIn(dir string) (StandIn, error) {
	password := rand.Text()
	files, err := newStandInFiles(dir, password)
	if err != nil {
		return nil, err
	}
	s := &openWrtStandIn{standInFiles: files}
	if s.daemon, err = dnsmasqtest.Start("lo", loopback.Addr()); err != nil {
		return nil, err
	}
	s.before = openwrttest.Default()[:2]
	s.before[1].Name, s.before[1].Options["interface"] = standInNetwork, standInNetwork
	s.Router, err = openwrttest.New(openwrttest.Options{
		Sections: s.before, Users: []openwrttest.User{{Name: demoUser, Password: password}}, Load: s.daemon.Load,
		Networks: []openwrttest.Network{
			{Name: standInNetwork, Device: "lo", Address: netip.PrefixFrom(loopback.Addr(), 8)},
		},
	})
	if err != nil {
		s.daemon.Close()
		return nil, err
	}
	s.before = s.Sections()
	return s, nil
}

// Close ends both.
func (s *openWrtStandIn) Close() {
	s.Router.Close()
	s.daemon.Close()
}

// DHCP is where it answers.
func (s *openWrtStandIn) DHCP() netip.AddrPort { return s.daemon.Addr() }

// Trust looks at the certificate, as openwrt trust does.
func (s *openWrtStandIn) Trust(ctx context.Context) (string, error) { return trusted(ctx, "router", s) }

// Open opens it with its certificate pinned.
func (s *openWrtStandIn) Open(bool) (dhcp.Server, error) {
	return openwrt.New(openwrt.Config{
		Config: s.reach(s), Interface: standInNetwork, User: demoUser, Password: s.credential,
	})
}

// Way is the only one.
func (s *openWrtStandIn) Way(dhcp.Server) string { return "ubus at " + s.URL().String() }

// Unchanged fails unless the sections are again what they were at first, and nothing waits.
func (s *openWrtStandIn) Unchanged() error {
	if !reflect.DeepEqual(s.Sections(), s.before) || s.Pending() {
		return errors.New("after the revert the router's sections are not what they were")
	}
	return nil
}

// Visit is how a person asks it something.
func (s *openWrtStandIn) Visit() string {
	return fmt.Sprintf("  pxeagent openwrt interfaces --openwrt %s --openwrt-user %s --openwrt-password-file %s "+
		"--openwrt-tls-sha256 %x\n", s.URL(), demoUser, s.secret, s.Fingerprint())
}
