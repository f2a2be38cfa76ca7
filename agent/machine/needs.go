package machine

import (
	"fmt"
	"maps"
	"slices"
)

// Needs are the items that machines are sent to now, each with the reason, for people: by their profile, whether or not
// they boot later versions first, or by a one-time boot. Without them a machine that comes up again is
// given something else.
func (f *Fleet) Needs() (map[string]string, error) {
	why := map[string]string{}
	if inventory := f.Inventory(); inventory != nil {
		items, err := f.items()
		if err != nil {
			return nil, err
		}
		result := func(item string) CanaryResult { t, _ := f.CanaryResults.Result(item); return t }
		for _, name := range slices.Sorted(maps.Keys(inventory.profiles)) {
			p := inventory.profiles[name]
			for _, canary := range []bool{false, true} {
				if got := p.pick(items, canary, hasCanary(inventory, *p), result, f.now()); got.ok {
					why[got.item.Key] = fmt.Sprintf("profile %s boots it", name)
				}
			}
		}
	}
	next, err := f.OneTime.List()
	if err != nil {
		return nil, err
	}
	for _, o := range next {
		why[o.Item] = fmt.Sprintf("%s is to boot it once", o.ID)
	}
	return why, nil
}
