package agent

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/menu"
)

// menuOK is found out when it is asked for, so that a template that broke is seen before a machine asks for the menu.
func menuOK(b *menu.Builder) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "menu_ok",
		Help: "1 where the menu that is served is as configured, 0 where something in it is left out or the last good one " +
			"is kept.",
	}, func() float64 {
		for _, l := range menu.Loaders() {
			if m, err := b.MenuOf(l, boot.Facts{}, netip.Addr{}); err != nil || m.Err != nil {
				return 0
			}
		}
		return 1
	})
}

// MachineMenu is the menu that an agent of this configuration gives a machine in the first of its places, which has
// that loader. Nothing is bound and nothing runs.
func MachineMenu(c Config, l menu.Loader, f boot.Facts, addr netip.Addr) (menu.Menu, error) {
	m, err := newMachines(c)
	if err != nil {
		return menu.Menu{}, err
	}
	all, err := newMenus(c, m)
	if err != nil {
		return menu.Menu{}, err
	}
	return all.first.MenuOf(l, f, addr)
}
