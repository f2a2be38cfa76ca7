//go:build linux || freebsd

package agent

import "syscall"

// descriptors is how many the process may have open (RLIMIT_NOFILE). The Go runtime has raised the limit as far as it
// may.
func descriptors() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1024 // the least that is usual
	}
	return uint64(l.Cur)
}
