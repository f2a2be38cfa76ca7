//go:build !linux

package pfsensetest

import (
	"errors"
	"fmt"
)

// ServeDHCP is not supported here: a socket cannot be bound to one device.
func (f *Firewall) ServeDHCP(_, device string) error {
	return fmt.Errorf("starting the firewall's DHCP server on %s: sockets bound to a device (SO_BINDTODEVICE): %w",
		device, errors.ErrUnsupported)
}
