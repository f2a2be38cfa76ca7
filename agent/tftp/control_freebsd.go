package tftp

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// source4 is IP_SENDSRCADDR, ip(4), which x/net does not know.
func source4(src netip.Addr) []byte {
	b := make([]byte, unix.CmsgSpace(4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_SENDSRCADDR
	h.SetLen(unix.CmsgLen(4))
	a := src.As4()
	copy(b[unix.CmsgLen(0):], a[:])
	return b
}
