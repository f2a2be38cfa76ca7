//go:build !linux && !freebsd

package agent

// descriptors is what every system has.
func descriptors() uint64 { return 1024 }
