package boots

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
)

// What pfSense writes for one file name, to ISC dhcpd and to Kea 2.2, and the like for Dnsmasq: everybody is told it,
// iPXE among them. Kea sends it in option 67 alone, without a terminator.
const (
	pfSenseISC = `authoritative;
one-lease-per-client true;
deny duplicates;
subnet 10.77.0.0 netmask 255.255.255.0 {
	pool { range 10.77.0.100 10.77.0.149; }
	ping-check true;
	next-server 10.77.0.7;
	filename "undionly.kpxe";
}
`
	pfSenseKea = `{"Dhcp4": {
 "interfaces-config": {"interfaces": ["eth1"]}, "valid-lifetime": 7200, "authoritative": true, "echo-client-id": false,
 "client-classes": [{"name": "ipxe_legacy_opt1", "test": "member('ALL')", "only-if-required": true,
  "option-data": [{"name": "boot-file-name", "data": "undionly.kpxe"}]}],
 "subnet4": [{"id": 2, "subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.100 - 10.77.0.149"}], "next-server": "10.77.0.7",
  "require-client-classes": ["ipxe_legacy_opt1"]}]}}`
	oneNameDnsmasq = `port=0
interface=eth1
bind-interfaces
no-ping
dhcp-range=10.77.0.100,10.77.0.149,2h
dhcp-boot=undionly.kpxe,,10.77.0.7
`
)

// dhcp is a firewall's DHCP server.
type dhcp string

const (
	isc     dhcp = "isc"
	kea     dhcp = "kea"
	dnsmasq dhcp = "dnsmasq"
)

// needs skips t where the server is not installed.
func (d dhcp) needs(t *testing.T) {
	t.Helper()
	lab.Need(t, map[dhcp]string{isc: "dhcpd", kea: "kea-dhcp4", dnsmasq: "dnsmasq"}[d])
}

// behind starts a firewall with such a server, which nobody here configures. The pairs are what is changed in what it
// is told, as in strings.NewReplacer.
func (s *room) behind(d dhcp, changes ...string) {
	s.T.Helper()
	change := strings.NewReplacer(changes...)
	h := s.Seg.Host("firewall", "eth1", change.Replace("10.77.0.1")+"/24")
	switch d {
	case isc:
		h.ISC(change.Replace(pfSenseISC), "eth1")
	case kea:
		h.Kea(change.Replace(pfSenseKea))
	case dnsmasq:
		conf := filepath.Join(s.T.TempDir(), "dnsmasq.conf")
		if err := os.WriteFile(conf, []byte(change.Replace(oneNameDnsmasq)), 0o644); err != nil {
			s.T.Fatal(err)
		}
		h.Dnsmasq("--conf-file=" + conf)
	}
}
