package pfsense

import (
	"context"
	"net/netip"

	"pxeagent/agent/dhcp"
)

// Interface is an interface of the firewall, with its DHCP server's network boot settings.
type Interface struct {
	Description string       `json:"description"`
	ID          string       `json:"id"`     // pfSense's own name: "lan", "opt1"
	Device      string       `json:"device"` // "igb2"
	Network     netip.Prefix `json:"network,omitzero"`
	DHCP        bool         `json:"dhcp"`   // the DHCP server is enabled
	Engine      string       `json:"engine"` // "isc" or "kea", the same for all interfaces
	Boot        dhcp.Boot    `json:"boot"`
	// Abilities are what of a Boot the DHCP server can send there. Only Found sets them.
	Abilities dhcp.Abilities `json:"-"`
}

// Interfaces lists the firewall's interfaces. Config.Interface may be empty.
func (s *Server) Interfaces(ctx context.Context) ([]Interface, error) {
	f, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	var list []Interface
	for _, p := range f.Interfaces {
		list = append(list, f.describe(p))
	}
	return list, nil
}

// Found is the interface that Config.Interface names. What it read is what the next Plan goes by.
func (s *Server) Found(ctx context.Context) (Interface, error) {
	f, p, err := s.readInterface(ctx)
	if err != nil {
		return Interface{}, err
	}
	s.fresh = true
	i, can := f.describe(p), f.can(p)
	i.Abilities = dhcp.Abilities{NoURL: !can.http, OneURL: true, OneNBP: can.oneName,
		NoScript: !can.script || !s.tellIPXE}
	return i, nil
}

func (f firewall) describe(p iface) Interface {
	i := Interface{Description: p.Descr, ID: p.ID, Device: p.Device, Network: p.network().Masked(), Engine: f.Engine}
	if p.DHCP != nil {
		i.DHCP, i.Boot = p.DHCP.Enable, f.settings(p).boot(f.can(p))
	}
	return i
}
