package agent

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"pxeagent/agent/ipxe"
	"pxeagent/agent/machine"
	"pxeagent/agent/web"
)

// OpenFleet is what the configuration says of machines and what is kept of them, as the daemon has it; no daemon need run.
func OpenFleet(c Config) (*machine.Fleet, error) {
	m, err := newMachines(c)
	if err != nil {
		return nil, err
	}
	return m.Fleet, nil
}

// OnceItem is the key of the item that a machine is to boot once: one of the menu's, or the newest image of a system or recipe. Its error unwraps to
// web.ErrUnknownItem or ErrNotOnce.
func OnceItem(c Config, name string) (string, error) {
	m, err := newMachines(c)
	if err != nil {
		return "", err
	}
	items, err := m.items()
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(items, func(i machine.Item) bool { return i.Key == name }) {
		newest, ok := machine.Newest(items, name)
		if !ok {
			return "", fmt.Errorf("%q: %w", name, web.ErrUnknownItem)
		}
		name = newest.Key
	}
	return name, m.canOnce(name)
}

// ItemKeys are the keys of all that can be booted, and the names that OnceItem takes besides.
func ItemKeys(c Config) ([]string, error) {
	m, err := newMachines(c)
	if err != nil {
		return nil, err
	}
	items, err := m.items()
	var keys []string
	for _, i := range items {
		keys = append(keys, i.Key)
		keys = append(keys, i.Names...)
	}
	return keys, err
}

// Needed says of each image, by its key, why it must stay; c's Places may be left out. Not in it is what nobody needs.
func Needed(c Config) (map[string]string, error) {
	if len(c.Places) == 0 {
		// Nothing of what is asked for here depends on it.
		c.Places = []Place{{NextServer: netip.MustParseAddr("127.0.0.1"), Base: &url.URL{Scheme: "http", Host: "127.0.0.1"}}}
	}
	m, err := newMachines(c)
	if err != nil {
		return nil, err
	}
	items, err := m.Needs()
	if err != nil {
		return nil, err
	}
	items[cmp.Or(c.Menu.Default, ipxe.Local)] = "it is the menu's default"
	listed, err := m.catalog.Items()
	why := map[string]string{}
	for _, i := range listed {
		if because, ok := items[i.Key]; ok && i.Image != "" {
			why[i.Image] = because
		}
	}
	return why, err
}
