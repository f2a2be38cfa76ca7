package opnsense

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp/remote"
)

// Interface is one of the firewall's.
type Interface struct {
	Name        string `json:"name"`        // its identifier: "lan", "opt1"
	Description string `json:"description"` // "LAN"
	// Addresses are the firewall's own IPv4 addresses there, each with the network's mask. They are known only where the
	// key's user has the right to see them.
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	// Networks are those in which addresses are leased there. Where Addresses are unknown they are taken from
	// Dnsmasq's ranges, and may be smaller than they are, or from Kea's subnets.
	Networks []netip.Prefix `json:"networks,omitempty"`
	Daemon   Daemon         `json:"daemon,omitempty"` // that leases addresses there; "": none that is known of
	carp     []string       // states of virtual addresses: "MASTER", "BACKUP"
}

// own is a network with the firewall's address in it, where that is known.
func (i Interface) own(network netip.Prefix) netip.Prefix {
	for _, p := range i.Addresses {
		if p.Contains(network.Addr()) {
			return p
		}
	}
	return network
}

// Interfaces lists the firewall's interfaces.
func (s *Server) Interfaces(ctx context.Context) (list []Interface, err error) {
	err = s.with(ctx, func(h *session) error {
		o, err := h.overview(ctx)
		list = o.interfaces
		return err
	})
	return list, err
}

// Found is the configured interface.
func (s *Server) Found(ctx context.Context) (i Interface, err error) {
	err = s.with(ctx, func(h *session) error {
		o, err := h.overview(ctx)
		if err != nil {
			return err
		}
		i, err = o.find(s.cfg.Interface)
		return err
	})
	return i, err
}

// overview is what has to be known to tell which DHCP server serves an interface.
type overview struct {
	interfaces []Interface
	dnsmasq    *settings // nil: the key's user may not see them
	denied     error     // why not
	ranges     []leases
	kea        *keaSettings // nil: the key's user may not see them, or they were not needed
	subnets    []keaSubnet  // with kea
	addressed  bool         // the interfaces' addresses are known
}

// overview reads it. Kea's settings are read where Dnsmasq does not serve the configured interface.
func (h *session) overview(ctx context.Context) (overview, error) {
	var o overview
	o.denied = h.readDnsmasq(ctx, &o)
	if o.denied != nil && !errors.Is(o.denied, remote.ErrPrivilege) {
		return o, o.denied
	}
	served, _ := o.dnsmasqServes(o.lookup(h.cfg.Interface))
	if h.cfg.Interface == "" || !served || h.cfg.Daemon == Kea {
		kea, err := h.keaSettings(ctx)
		switch {
		case err == nil:
			o.kea = &kea
			if o.subnets, err = search[keaSubnet](ctx, h, keaAPI+"searchSubnet"); err != nil {
				return o, err
			}
		case o.dnsmasq == nil && errors.Is(err, remote.ErrPrivilege):
			return o, o.denied
		case !errors.Is(err, remote.ErrPrivilege) && !errors.Is(err, ErrNoAPI):
			return o, err
		}
	}
	if o.dnsmasq == nil {
		o.interfaces = o.kea.list()
	}
	if err := h.addAddresses(ctx, &o); err != nil {
		return o, err
	}
	for n := range o.interfaces {
		i := &o.interfaces[n]
		i.Networks = o.networks(*i)
		if ok, _ := o.dnsmasqServes(*i); ok {
			i.Daemon = Dnsmasq
		} else if o.kea != nil && o.kea.serves(i.Name) {
			i.Daemon = Kea
			i.Networks = nil
			if s, err := findKea(*i, *o.kea, o.subnets); err == nil {
				i.Networks = []netip.Prefix{i.own(s.network())}
			}
		}
	}
	return o, nil
}

// readDnsmasq reads Dnsmasq's settings, its ranges and the interfaces' names.
func (h *session) readDnsmasq(ctx context.Context, o *overview) error {
	s, err := h.settings(ctx)
	if err != nil {
		return err
	}
	var tags struct {
		Interfaces struct {
			Items []struct {
				Value text `json:"value"`
				Label text `json:"label"`
			} `json:"items"`
		} `json:"interfaces"`
	}
	if err := h.get(ctx, "/api/dnsmasq/settings/getTagList", &tags); err != nil {
		return err
	}
	for _, i := range tags.Interfaces.Items {
		if i.Value != "" {
			o.interfaces = append(o.interfaces, Interface{Name: string(i.Value), Description: string(i.Label)})
		}
	}
	if o.ranges, err = search[leases](ctx, h, "/api/dnsmasq/settings/searchRange"); err != nil {
		return err
	}
	for _, r := range o.ranges {
		if o.isLabel(string(r.Interface)) {
			return tooOld("a range has the label of its interface in place of its name")
		}
	}
	o.dnsmasq = &s
	return nil
}

// tooOld is the error for OPNsense 25.1, whose rows have labels where later versions have values.
func tooOld(why string) error {
	return fmt.Errorf("%w: %s, as in OPNsense 25.1: update it to 25.7 or later", ErrNoAPI, why)
}

// isLabel reports whether text is an interface's description and no interface's name.
func (o overview) isLabel(text string) bool {
	label := false
	for _, i := range o.interfaces {
		if i.Name == text {
			return false
		}
		label = label || i.Description == text
	}
	return label
}

// addAddresses adds what only a further privilege shows, where the key's user has it.
func (h *session) addAddresses(ctx context.Context, o *overview) error {
	var all []struct {
		Identifier text `json:"identifier"`
		IPv4       []struct {
			Address text `json:"ipaddr"` // with its mask
			VHID    text `json:"vhid"`
			Status  text `json:"status"` // of a virtual address: "MASTER", "BACKUP"
		} `json:"ipv4"`
	}
	err := h.get(ctx, "/api/interfaces/overview/export", &all)
	switch {
	case errors.Is(err, remote.ErrPrivilege), errors.Is(err, ErrNoAPI), errors.Is(err, remote.ErrOther):
		return nil
	case err != nil:
		return err
	}
	o.addressed = true
	for _, found := range all {
		n := slices.IndexFunc(o.interfaces, func(i Interface) bool { return i.Name == string(found.Identifier) })
		if n < 0 {
			continue
		}
		for _, a := range found.IPv4 {
			if p, err := netip.ParsePrefix(string(a.Address)); err == nil && p.Addr().Is4() {
				o.interfaces[n].Addresses = append(o.interfaces[n].Addresses, p)
			}
			if a.VHID != "" {
				o.interfaces[n].carp = append(o.interfaces[n].carp, strings.ToUpper(string(a.Status)))
			}
		}
	}
	return nil
}

// lookup is find without its error; the zero Interface where there is none.
func (o overview) lookup(name string) Interface {
	i, _ := o.find(name)
	return i
}

// find is the interface with that identifier, or that description where no other has it.
func (o overview) find(name string) (Interface, error) {
	var known []string
	var described []Interface
	for _, i := range o.interfaces {
		if i.Name == name {
			return i, nil
		}
		if strings.EqualFold(i.Description, name) {
			described = append(described, i)
		}
		known = append(known, fmt.Sprintf("%s (%s)", i.Name, i.Description))
	}
	switch len(described) {
	case 0:
		return Interface{}, fmt.Errorf("%w: %s (found %s)", ErrNoInterface, name, strings.Join(known, ", "))
	case 1:
		return described[0], nil
	}
	return Interface{}, fmt.Errorf("%w: %d interfaces have the description %q: use the identifier (%s)", ErrNoInterface,
		len(described), name, strings.Join(known, ", "))
}
