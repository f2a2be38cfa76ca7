package script

import (
	"slices"
	"time"
)

// Menu is what a script's menu offers.
type Menu struct {
	Title   string
	Items   []Item
	Default string        // label of the item that is chosen when nobody chooses; "": none
	Timeout time.Duration // 0: it waits for ever, or for a time that cannot be read
}

// Item is a line of a menu that can be chosen.
type Item struct{ Label, Title string }

// ReadMenu finds what a script's menus offer, whatever the machine. Of several menus it is all that they offer.
func ReadMenu(script []byte) Menu {
	var m Menu
	for _, one := range Run(script, somewhere, Machine{Open: true}, nil).Menus {
		for _, i := range one.Items {
			if !slices.Contains(m.Items, i) {
				m.Items = append(m.Items, i)
			}
		}
		m.Title, m.Default, m.Timeout = one.Title, one.Default, one.Timeout
	}
	return m
}
