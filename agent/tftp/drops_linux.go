package tftp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// memDrops is the place of the packets that were dropped in what SO_MEMINFO tells (SK_MEMINFO_DROPS, since Linux 4.12).
const memDrops = 8

// drops is how many packets the system has dropped at s. It reports false where it does not tell.
func (s *socket) drops() (uint32, bool) {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info [memDrops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	errno := unix.EBADF
	_ = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return info[memDrops], errno == 0 && size == uint32(unsafe.Sizeof(info))
}
