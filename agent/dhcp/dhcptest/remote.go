package dhcptest

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// Web is the web server of a stand-in.
type Web interface {
	URL() *url.URL
	Fingerprint() [32]byte // SHA-256 of its certificate
}

// Reach is how a stand-in is reached, with its certificate pinned.
func Reach(w Web) remote.Config {
	pin := w.Fingerprint()
	return remote.Config{URL: w.URL(), TLSSHA256: &pin}
}

// RemoteArgs are Backend.Args for a stand-in, as MainRemote reads them.
func RemoteArgs(w Web) []string {
	pin := w.Fingerprint()
	return []string{w.URL().String(), hex.EncodeToString(pin[:])}
}

// MainRemote is Main for a backend that asks a server over the network.
func MainRemote(m *testing.M, open func(at remote.Config, step func()) (dhcp.Server, error)) int {
	return Main(m, func(args []string, step func()) (dhcp.Server, error) {
		if len(args) != 2 {
			return nil, fmt.Errorf("%d arguments, want a URL and a SHA-256", len(args))
		}
		u, err := url.Parse(args[0])
		if err != nil {
			return nil, err
		}
		pin, err := hex.DecodeString(args[1])
		if err != nil || len(pin) != 32 {
			return nil, fmt.Errorf("invalid SHA-256 %q", args[1])
		}
		return open(remote.Config{URL: u, TLSSHA256: (*[32]byte)(pin)}, step)
	})
}
