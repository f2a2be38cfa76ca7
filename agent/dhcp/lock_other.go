//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dhcp

import (
	"fmt"
	"os"
	"runtime"
)

// tryLock fails: without flock(2) two agents could not be kept apart.
func tryLock(*os.File) (taken bool, err error) {
	return false, fmt.Errorf("%s has no flock(2), which keeps two agents from changing the same settings", runtime.GOOS)
}
