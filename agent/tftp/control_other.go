//go:build !freebsd

package tftp

import (
	"net/netip"

	"golang.org/x/net/ipv4"
)

// source4 is IP_PKTINFO where the system has it. Elsewhere it is nil, and with single port a packet leaves
// from the address that the system chooses.
func source4(src netip.Addr) []byte {
	return (&ipv4.ControlMessage{Src: src.AsSlice()}).Marshal()
}
