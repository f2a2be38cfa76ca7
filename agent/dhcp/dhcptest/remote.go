package dhcptest

import (
	"encoding/hex"
	"fmt"
	"net/url"
)

// RemoteArgs are Backend.Args for a server that is asked over the network: where it is, and the SHA-256 of its
// certificate. Others may follow.
func RemoteArgs(u *url.URL, pin [32]byte, others ...string) []string {
	return append([]string{u.String(), hex.EncodeToString(pin[:])}, others...)
}

// ParseRemote reads RemoteArgs.
func ParseRemote(args []string) (u *url.URL, pin *[32]byte, others []string, err error) {
	if len(args) < 2 {
		return nil, nil, nil, fmt.Errorf("%d arguments, want a URL and a SHA-256", len(args))
	}
	if u, err = url.Parse(args[0]); err != nil {
		return nil, nil, nil, err
	}
	pin = new([32]byte)
	if n, err := hex.Decode(pin[:], []byte(args[1])); err != nil || n != len(pin) {
		return nil, nil, nil, fmt.Errorf("invalid SHA-256 %q", args[1])
	}
	return u, pin, args[2:], nil
}
