//go:build !linux

package machine

import "net/netip"

// neighbour is not known here: it is read on Linux only. Machines tell their MAC with the script's request.
func neighbour(netip.Addr) string { return "" }
