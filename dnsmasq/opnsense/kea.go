package opnsense

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/dhcp/remote"
)

// keaSettings are Kea's general ones.
type keaSettings struct {
	Enabled    text    `json:"enabled"`
	Manual     text    `json:"manual_config"` // "1": somebody writes its files by hand, and nothing is generated
	Interfaces choices `json:"interfaces"`
	pair       string  // this firewall's name in a pair that serves the same subnets; "": there is none
}

func (h *session) keaSettings(ctx context.Context) (keaSettings, error) {
	const path = "/api/kea/dhcpv4/get"
	var a struct {
		DHCPv4 *struct {
			General object[keaSettings] `json:"general"`
			HA      object[struct {
				Enabled text `json:"enabled"`
				Name    text `json:"this_server_name"`
			}] `json:"ha"`
			Hostname text `json:"this_hostname"`
		} `json:"dhcpv4"`
	}
	if err := h.get(ctx, path, &a); err != nil {
		return keaSettings{}, err
	}
	if a.DHCPv4 == nil {
		return keaSettings{}, fmt.Errorf("%w: %s: its answer has no settings of Kea", remote.ErrOther, path)
	}
	k := a.DHCPv4.General.Members
	if ha := a.DHCPv4.HA.Members; ha.Enabled == "1" {
		k.pair = string(cmp.Or(ha.Name, a.DHCPv4.Hostname, "this firewall"))
	}
	return k, nil
}

// serves reports whether Kea is on, and listens on an interface.
func (k keaSettings) serves(name string) bool {
	return k.Enabled == "1" && slices.Contains(k.Interfaces.selected(), name)
}

// list are the interfaces as Kea's settings name them.
func (k keaSettings) list() []Interface {
	var list []Interface
	for name, c := range k.Interfaces.Members {
		if name != "" {
			list = append(list, Interface{Name: name, Description: string(c.Label)})
		}
	}
	slices.SortFunc(list, func(a, b Interface) int { return strings.Compare(a.Name, b.Name) })
	return list
}
