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

// TestMain is also that of the processes that the conformance suite kills.
func TestMain(m *testing.M) {
	os.Exit(dhcptest.MainRemote(m, func(at remote.Config, step func()) (dhcp.Server, error) {
		s, err := New(config(at))
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

// config is for the lan of a stand-in.
func config(at remote.Config) Config {
	return Config{
		Config: at, Interface: "lan", Credential: func() (string, error) { return opnsensetest.Key, nil },
	}
}
