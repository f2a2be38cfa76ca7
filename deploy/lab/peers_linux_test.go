package lab

import (
	"os"
	"testing"
)

func TestPeersStart(t *testing.T) {
	Need(t, "dnsmasq", "dhcpd", "kea-dhcp4")
	s := NewSegment(t)
	t.Run("dnsmasq", func(t *testing.T) {
		h := s.Host("dns", "eth1", "10.77.0.1/24")
		p := h.Dnsmasq("--interface=eth1", "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.60")
		p.WaitOutput(peerStart, `DHCP, IP range 10\.77\.0\.50`)
	})
	t.Run("isc", func(t *testing.T) {
		h := s.Host("isc", "eth1", "10.77.0.2/24")
		p := h.ISC("subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.70 10.77.0.80; }", "eth1")
		if _, err := os.Stat(p.Leases); err != nil {
			t.Error(err)
		}
	})
	t.Run("kea", func(t *testing.T) {
		h := s.Host("kea", "eth1", "10.77.0.3/24")
		p := h.Kea(`{"Dhcp4": {"interfaces-config": {"interfaces": ["eth1"]}, "subnet4": [
			{"id": 1, "subnet": "10.77.0.0/24", "pools": [{"pool": "10.77.0.90-10.77.0.99"}]}]}}`)
		if _, err := os.Stat(p.Leases); err != nil {
			t.Error(err)
		}
	})
}
