package agent

import (
	"cmp"

	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
)

// OpenFleet is what the configuration says of machines and what is kept of them, as the daemon has it; no daemon need
// run.
func OpenFleet(c Config) (*machine.Fleet, error) {
	m, err := newMachines(c)
	if err != nil {
		return nil, err
	}
	return m.Fleet, nil
}

// OnceItem is the key of the item that a machine is to boot once: one of the menu's, or the newest image of a system or
// recipe. Its error unwraps to catalog.ErrUnknownItem or catalog.ErrNotOnce.
func OnceItem(c Config, name string) (string, error) {
	m, err := newMachines(c)
	if err != nil {
		return "", err
	}
	items, err := m.catalog.Items()
	if err != nil {
		return "", err
	}
	item, err := catalog.Find(items, name)
	if err != nil {
		return "", err
	}
	return item.Key, m.catalog.CheckOnce(item.Key, m.base)
}

// Needed says of each image, by its key, why it must stay; c's Places may be left out. Not in it is what nobody needs.
func Needed(c Config) (map[string]string, error) {
	m, err := newMachines(c)
	if err != nil {
		return nil, err
	}
	needs, err := m.Needs()
	if err != nil {
		return nil, err
	}
	needs[cmp.Or(c.Menu.Default, catalog.Local)] = "it is the menu's default"
	items, err := m.catalog.Items()
	why := map[string]string{}
	for _, i := range items {
		if because, ok := needs[i.Key]; ok && i.Image != "" {
			why[i.Image] = because
		}
	}
	return why, err
}
