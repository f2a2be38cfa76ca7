// Package flood sends TFTP requests from addresses where nobody is.
package flood

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const headers = 20 + 8 // of IPv4 and UDP, in bytes

// Send sends as many requests a second to an IPv4 address until ctx ends, and returns how many they were. Where the
// machine is too slow they are as many as it can send. They come from the addresses that share their first 16 bits with
// from, and from ports that make hardly two of them the same. It needs root.
func Send(
	ctx context.Context, to netip.AddrPort, from netip.Addr, request []byte, perSecond int,
) (sent int, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	peer := &unix.SockaddrInet4{Addr: to.Addr().As4()}
	net := from.As4()
	packet := make([]byte, headers, headers+len(request))
	packet[0], packet[8], packet[9] = 0x45, 64, unix.IPPROTO_UDP // version and length, TTL, protocol
	copy(packet[12:], net[:])
	copy(packet[16:], peer.Addr[:])
	binary.BigEndian.PutUint16(packet[22:], to.Port())
	binary.BigEndian.PutUint16(packet[24:], uint16(8+len(request)))
	packet = append(packet, request...)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		for due := int(float64(perSecond) * time.Since(began).Seconds()); sent < due && ctx.Err() == nil; sent++ {
			binary.BigEndian.PutUint16(packet[14:], uint16(rand.Uint32()))
			binary.BigEndian.PutUint16(packet[20:], uint16(1024+rand.IntN(60_000)))
			_ = unix.Sendto(fd, packet, 0, peer) // a queue that is full loses it, as any other
		}
		select {
		case <-ctx.Done():
			return sent, nil
		case <-tick.C:
		}
	}
}
