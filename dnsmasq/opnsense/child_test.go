package opnsense

import (
	"net/http"
	"os"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// TestMain is also that of the processes that the conformance suite kills; their arguments are those of childArgs.
func TestMain(m *testing.M) {
	os.Exit(dhcptest.Main(m, func(args []string, step func()) (dhcp.Server, error) {
		u, pin, others, err := dhcptest.ParseRemote(args)
		if err != nil {
			return nil, err
		}
		s, err := New(Config{Config: remote.Config{URL: u, TLSSHA256: pin}, Interface: "lan",
			Credential: func() (string, error) { return others[0], nil }})
		if err != nil {
			return nil, err
		}
		s.pause = time.Millisecond
		s.client.BeforeEach(func(method string) {
			if method != http.MethodGet { // what only reads leaves nothing behind
				step()
			}
		})
		return s, nil
	}))
}

func childArgs(f *opnsensetest.Firewall) []string {
	return dhcptest.RemoteArgs(f.URL(), f.Fingerprint(), f.Key())
}
