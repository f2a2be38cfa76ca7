//go:build !linux && !freebsd

package agent

import "errors"

// diskSpace is not made for this system.
func diskSpace(string) (free, size uint64, err error) {
	return 0, 0, errors.New("the room on a disk is not known on this system")
}
