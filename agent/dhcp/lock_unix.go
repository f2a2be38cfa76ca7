//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dhcp

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes an exclusive lock that the kernel gives back when the process ends, however it ends.
func tryLock(f *os.File) (taken bool, err error) {
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}
