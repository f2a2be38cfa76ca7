package opnsense

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// keaSubnet is a subnet of Kea: what pxeagent owns of it, and what has to do with that.
type keaSubnet struct {
	UUID   string
	Subnet string // "10.77.0.0/24"
	// Each: the rows have a number, as from OPNsense 26.7.2 on. From there on machines of each kind can be sent something
	// of their own.
	Each bool
	keaFields
	Options     []string // uuids of options, in their order
	Autocollect bool     // the firewall sets the next three by itself
	Routers     string
	NameServers string
	NTPServers  string
	Pools       string
	Description string
}

// keaFields are those of a subnet that pxeagent owns. "" is absent: OPNsense does not tell them apart.
type keaFields struct {
	NextServer string `json:"next_server,omitempty"`
	TFTPServer string `json:"tftp_server_name,omitempty"` // option 66
	BootFile   string `json:"boot_file_name,omitempty"`   // option 67
}

// UnmarshalJSON reads a row of a search. The names of nested fields have dots in them.
func (s *keaSubnet) UnmarshalJSON(b []byte) error {
	var m map[string]text
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	f := func(name string) string { return string(m[name]) }
	_, each := m["subnet_id"]
	*s = keaSubnet{
		UUID: f("uuid"), Subnet: strings.TrimSpace(f("subnet")), Each: each,
		keaFields: keaFields{
			NextServer: f("next_server"), TFTPServer: f("option_data.tftp_server_name"),
			BootFile: f("option_data.boot_file_name"),
		},
		Options: m["option"].list(), Autocollect: f("option_data_autocollect") == "1",
		Routers: f("option_data.routers"), NameServers: f("option_data.domain_name_servers"),
		NTPServers: f("option_data.ntp_servers"), Pools: strings.TrimSpace(f("pools")), Description: f("description"),
	}
	return nil
}

// network is the subnet's, which need not be written as its first address.
func (s keaSubnet) network() netip.Prefix {
	p, err := netip.ParsePrefix(s.Subnet)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}
	}
	return p.Masked()
}

// scope is that of the uuids of pxeagent's options in the subnet.
func (s keaSubnet) scope() string { return "kea " + s.network().String() }

// own reports whether a uuid is one of pxeagent's options in the subnet.
func (s keaSubnet) own(uuid string) bool { return isOwn(s.scope(), uuid) }

// findKea is the subnet on an interface. Kea's subnets have no interface, so it goes by the firewall's addresses there,
// for which the key's user needs one more right (page-status-interfaces). Without that it is the subnet whose
// description is the interface's identifier or description, such as lan; or the only subnet, where Kea serves only that
// interface.
func findKea(i Interface, k keaSettings, subnets []keaSubnet) (keaSubnet, error) {
	var found []keaSubnet
	if len(i.Addresses) > 0 {
		found = subnetsOf(subnets, func(s keaSubnet) bool {
			return slices.ContainsFunc(i.Addresses, func(p netip.Prefix) bool { return s.network().Contains(p.Addr()) })
		})
	} else {
		found = subnetsOf(subnets, func(s keaSubnet) bool {
			return s.Description != "" &&
				(strings.EqualFold(s.Description, i.Name) || strings.EqualFold(s.Description, i.Description))
		})
		if len(found) == 0 && slices.Equal(k.Interfaces.selected(), []string{i.Name}) {
			found = subnetsOf(subnets, func(keaSubnet) bool { return true })
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	have := "none"
	if len(subnets) > 0 {
		var all []string
		for _, s := range subnets {
			all = append(all, s.Subnet)
		}
		have = strings.Join(all, ", ")
	}
	if len(i.Addresses) > 0 {
		return keaSubnet{}, fmt.Errorf("%w: %s: %d of Kea's subnets have its addresses (Kea has %s)", ErrNoInterface,
			i.Name, len(found), have)
	}
	return keaSubnet{}, fmt.Errorf("%w: which of Kea's subnets is on %s cannot be told (Kea has %s): give that subnet "+
		"the description %s, or the key's user the privilege %s", ErrNoInterface, i.Name, have, i.Name, interfacePrivilege)
}

func subnetsOf(all []keaSubnet, is func(keaSubnet) bool) []keaSubnet {
	var found []keaSubnet
	for _, s := range all {
		if s.network().IsValid() && is(s) {
			found = append(found, s)
		}
	}
	return found
}
