package opnsense

import (
	"context"

	"pxeagent/agent/dhcp"
)

// dnsmasqWay is the firewall's Dnsmasq.
type dnsmasqWay struct {
	*session
	overview overview
	iface    Interface
}

func (*dnsmasqWay) daemon() daemon {
	return daemon{Name: "Dnsmasq", Service: "/api/dnsmasq/service/", Load: "restart"}
}

func (*dnsmasqWay) plan(context.Context, dhcp.Boot) (dhcp.Plan, error) { return dhcp.Plan{}, ErrAPI }
func (*dnsmasqWay) state(context.Context) (dhcp.State, error)          { return dhcp.State{}, ErrAPI }
func (*dnsmasqWay) write(context.Context, dhcp.State) error            { return ErrAPI }
func (*dnsmasqWay) between(now, from, to dhcp.State) bool              { return false }
