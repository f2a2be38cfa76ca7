//go:build !linux && !freebsd

package probe

import (
	"errors"
	"net"
	"net/netip"
)

var errNoBroadcast = errors.New("asking a whole network works on Linux and FreeBSD only; asking one server as a " +
	"relay works here too")

func openBroadcast(_ *net.Interface, _ [6]byte, notes []string) ([]*way, []string, error) {
	return nil, notes, errNoBroadcast
}

func openProxy(*net.Interface, netip.Addr) (*way, netip.Addr, error) {
	return nil, netip.Addr{}, errNoBroadcast
}
