//go:build !linux

package tftp

// drops is how many packets the system has dropped at s, which it does not tell.
func (s *socket) drops() (uint32, bool) { return 0, false }
