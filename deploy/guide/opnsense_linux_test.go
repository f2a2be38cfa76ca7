package guide

import (
	"fmt"
	"os"

	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// withOPNsense is what a person does before the guide to OPNsense begins.
const withOPNsense = `echo 10.77.0.1 opnsense.lan >> /etc/hosts
install -m 600 "$SCENE/key" /etc/pxeagent/opnsense-key
`

// opnSense starts a stand-in OPNsense whose interface LAN is the network, until the test ends. A real Dnsmasq on it
// loads what its template makes. The key's user has the one privilege that the guide asks for.
func (s *scene) opnSense(h *lab.Host) {
	s.t.Helper()
	reload := h.Reloader()
	var fw *opnsensetest.Firewall
	var err error
	h.Do(func() {
		fw, err = opnsensetest.New(opnsensetest.Options{
			Listen: "10.77.0.1:443", Privileges: []string{opnsensetest.PrivilegeDnsmasq},
			Load: func(conf string) error { return reload(opnsensetest.Elsewhere(conf)) },
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(fw.Close)
	s.pin = fmt.Sprintf("%x", fw.Fingerprint())
	if err := os.WriteFile(s.path("key"), []byte(opnsensetest.Key), 0o600); err != nil {
		s.t.Fatal(err)
	}
}
