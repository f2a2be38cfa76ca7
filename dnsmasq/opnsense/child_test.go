package opnsense

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// TestMain is also that of the processes that the conformance suite kills; their arguments are those of childArgs.
func TestMain(m *testing.M) {
	os.Exit(dhcptest.Main(m, func(args []string, step func()) (dhcp.Server, error) {
		u, err := url.Parse(args[0])
		if err != nil {
			return nil, err
		}
		var pin [32]byte
		if _, err := hex.Decode(pin[:], []byte(args[1])); err != nil {
			return nil, err
		}
		key := args[2]
		s, err := New(Config{URL: u, TLSSHA256: &pin, Interface: "lan",
			Credential: func() (string, error) { return key, nil }})
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
	pin := f.Fingerprint()
	return []string{f.URL().String(), hex.EncodeToString(pin[:]), f.Key()}
}
