//go:build linux || freebsd

package agent

import (
	"fmt"
	"syscall"
)

// diskSpace is the room that an ordinary user has left on the disk of a folder, and that disk's size, in bytes.
func diskSpace(path string) (free, size uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, 0, fmt.Errorf("looking at the disk of %s: %w", path, err)
	}
	block := uint64(s.Bsize)
	// FreeBSD counts below zero where only root has room
	return uint64(max(0, int64(s.Bavail))) * block, uint64(s.Blocks) * block, nil
}
