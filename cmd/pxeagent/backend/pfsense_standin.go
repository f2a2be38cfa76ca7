package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"reflect"

	"pxeagent/agent/dhcp"
	"pxeagent/pfsense"
	"pxeagent/pfsense/pfsensetest"
)

// standIn is the firewall of the demonstration. Its network ADMIN is loopback, so that machines there reach this agent.
// Its DHCP server is asked on a high port and answers the port that it was asked from, in place of the broadcast to
// port 68 that needs a real network.
type standIn struct {
	*pfsensetest.Firewall
	standInFiles
	dhcp   netip.AddrPort
	before pfsensetest.Tree
}

// newStandIn starts a firewall, and puts the password of its user into a file in dir.
func newStandIn(dir string) (StandIn, error) {
	site := pfsensetest.Default()
	for path, text := range map[string]string{
		"interfaces/opt1/ipaddr": "127.0.0.1", "interfaces/opt1/subnet": "8",
		"dhcpd/opt1/range/from": "127.0.0.100", "dhcpd/opt1/range/to": "127.0.0.149",
	} {
		site.Set(path, text)
	}
	site.Remove("dhcpd/opt1/pool")
	site.Remove("dhcpd/opt1/staticmap")
	password := rand.Text()
	files, err := newStandInFiles(dir, password)
	if err != nil {
		return nil, err
	}
	s := &standIn{standInFiles: files, before: site}
	if s.Firewall, err = pfsensetest.New(pfsensetest.Options{Config: site, Users: []pfsensetest.User{{
		Name: demoUser, Password: password,
		Privileges: []string{"api-v2-diagnostics-command-prompt-post", "system-xmlrpc-ha-sync"},
	}}}); err != nil {
		return nil, err
	}
	if s.dhcp, err = s.ListenDHCP("opt1", loopback); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// DHCP is where it answers.
func (s *standIn) DHCP() netip.AddrPort { return s.dhcp }

// Trust looks at the certificate, as pfsense trust does.
func (s *standIn) Trust(ctx context.Context) (string, error) { return trusted(ctx, "firewall", s) }

// Open opens the firewall with its certificate pinned.
func (s *standIn) Open(again bool) (dhcp.Server, error) {
	transport := "auto"
	if again {
		transport = "xmlrpc"
	}
	return pfsense.New(pfsense.Config{
		Config: s.reach(s), Transport: transport, Interface: standInNetwork, User: demoUser, Password: s.credential,
	})
}

// Way names the transport.
func (s *standIn) Way(server dhcp.Server) string { return server.(*pfsense.Server).Transport() }

// Unchanged fails unless the configuration is again what it was at first, and loaded.
func (s *standIn) Unchanged() error {
	if !reflect.DeepEqual(s.Saved(), s.before) || !reflect.DeepEqual(s.Loaded(), s.before) {
		return errors.New("after the revert the firewall's configuration is not what it was")
	}
	return nil
}

// Visit is how a person asks the firewall something.
func (s *standIn) Visit() string {
	return fmt.Sprintf("  pxeagent pfsense interfaces --pfsense %s --user %s --password-file %s --tls-sha256 %x\n",
		s.URL(), demoUser, s.secret, s.Fingerprint())
}
