//go:build !linux

package tftp

import "net/netip"

// noteICMP does nothing: only Linux tells of ICMP at a socket that is not connected.
func (s *socket) noteICMP() error { return nil }

func (s *socket) refusals() []netip.AddrPort { return nil }
