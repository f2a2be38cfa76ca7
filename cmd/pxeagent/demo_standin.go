package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"pxeagent/pfsense/pfsensetest"
)

// demoUser may do on the stand-in what the documentation says that pxeagent's user needs, and no more.
const demoUser = "pxeagent"

// loopback is any port of 127.0.0.1.
var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// standIn is the firewall of the demonstration. Its network ADMIN is loopback, so that machines there reach this agent. Its DHCP server is
// asked on a high port and answers the port that it was asked from, in place of the broadcast to port 68 that needs a real network.
type standIn struct {
	*pfsensetest.Firewall
	dhcp     netip.AddrPort
	password string // the file that holds it
	before   pfsensetest.Tree
}

// newStandIn starts a firewall, and puts the password of its user into a file in dir.
func newStandIn(dir string) (*standIn, error) {
	config := pfsensetest.Default()
	for path, text := range map[string]string{
		"interfaces/opt1/ipaddr": "127.0.0.1", "interfaces/opt1/subnet": "8",
		"dhcpd/opt1/range/from": "127.0.0.100", "dhcpd/opt1/range/to": "127.0.0.149",
	} {
		config.Set(path, text)
	}
	config.Remove("dhcpd/opt1/pool")
	config.Remove("dhcpd/opt1/staticmap")
	password := rand.Text()
	s := &standIn{password: filepath.Join(dir, "password"), before: config}
	err := os.WriteFile(s.password, []byte(password+"\n"), 0o600)
	if err != nil {
		return nil, err
	}
	if s.Firewall, err = pfsensetest.New(pfsensetest.Options{Config: config, Users: []pfsensetest.User{{
		Name: demoUser, Password: password, Privileges: []string{"api-v2-diagnostics-command-prompt-post", "system-xmlrpc-ha-sync"},
	}}}); err != nil {
		return nil, err
	}
	if s.dhcp, err = s.ListenDHCP("opt1", loopback); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// log is what the firewall's configuration history says of the demonstration, the oldest first.
func (s *standIn) log() []string {
	var lines []string
	for _, r := range s.History() {
		if strings.Contains(r.Message, "pxeagent:") {
			lines = append([]string{r.Message}, lines...)
		}
	}
	return lines
}

// asItWas fails unless the configuration is again what it was at first, and loaded.
func (s *standIn) asItWas() error {
	if !reflect.DeepEqual(s.Saved(), s.before) || !reflect.DeepEqual(s.Loaded(), s.before) {
		return errors.New("after the revert the firewall's configuration is not what it was")
	}
	return nil
}

// visit is how a person asks the firewall something.
func (s *standIn) visit() string {
	return fmt.Sprintf("  pxeagent pfsense interfaces --pfsense %s --user %s --password-file %s --tls-sha256 %x\n",
		s.URL(), demoUser, s.password, s.Fingerprint())
}
