package pfsensetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ServeDHCP answers for an interface on a device of this machine, on port 67 and by broadcast, as a DHCP server does.
// It needs root; tests call it inside their own namespace.
func (f *Firewall) ServeDHCP(id, device string) error {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			if failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1); failed == nil {
				failed = unix.BindToDevice(int(fd), device)
			}
		})
		if err == nil {
			err = os.NewSyscallError("setsockopt", failed)
		}
		return err
	}}
	conn, err := lc.ListenPacket(context.Background(), "udp4", "0.0.0.0:67")
	if err != nil {
		return fmt.Errorf("starting the firewall's DHCP server on %s: %w", device, err)
	}
	return f.serveDHCP(id, conn, toClient)
}
