package menu

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/catalog"
)

// arrange puts the items into their groups: those with a place in the configuration first, then the others as they
// come.
func (d *Data) arrange(all []candidate, conf *Settings) {
	listed := slices.ContainsFunc(all, func(c candidate) bool { return c.Key == catalog.Local && c.place >= 0 })
	rank := func(c candidate) int {
		switch {
		case c.Key == catalog.Local && !listed:
			return -1 // what a menu without a fitting default chooses is what stands first
		case c.place >= 0:
			return c.place
		}
		return len(conf.Entries)
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(rank(a), rank(b)) })
	var notes notes
	last := ""
	for i := range all {
		c := &all[i]
		id := "system " + c.System
		if c.place >= 0 {
			id = "entry"
			for n := c.place; n >= 0; n-- {
				if g := conf.Entries[n].Group; g != "" {
					c.Group, id = words(g), fmt.Sprint("entry ", n)
					break
				}
			}
		} else if c.Key == catalog.Local {
			id = catalog.Local
		}
		if id != last {
			d.Groups, last = append(d.Groups, Group{Title: c.Group}), id
		}
		g := &d.Groups[len(d.Groups)-1]
		if !c.hidden {
			c.list(g)
			if d.Language == IPXE {
				notes.see(len(d.Groups)-1, c)
			}
			if c.refused != nil {
				d.leftOut = append(d.leftOut, c.Item)
			}
		}
		d.all = append(d.all, c.Item)
		if c.refused == nil {
			d.Items = append(d.Items, c.Item)
		}
	}
	notes.write(d.Groups)
	d.Groups = slices.DeleteFunc(d.Groups, func(g Group) bool { return len(g.Items) == 0 && len(g.Notes) == 0 })
}

// list puts an item into its group, where the machine can boot it.
func (c *candidate) list(g *Group) {
	if c.refused != nil {
		return
	}
	c.Shown = true
	hot := ""
	if c.Hot != "" {
		hot = "--key " + c.Hot + " "
	}
	c.Line = fmt.Sprintf("item %s-- %s %s", hot, c.Key, c.Title)
	if c.need.When != "" {
		c.Line = c.need.When + c.Line + " ||"
	}
	g.Items = append(g.Items, c.Item)
}

// notes are what the menu says of items that it does not show, each once.
type notes []note

type note struct {
	group int // where the first such item would stand
	need  catalog.Need
	text  string
	items int
}

func (ns *notes) see(group int, c *candidate) {
	n := note{group: group, need: c.need, text: c.Why, items: 1}
	switch {
	case c.broken: // in few words: a line of the menu has less than 80 characters
		n.need, n.text = catalog.Need{}, c.ImageTitle+" is left out; the server's log says why"
	case c.Why == "":
		return
	}
	for i := range *ns {
		if o := &(*ns)[i]; o.text == n.text && o.need.What == n.need.What {
			o.items++
			return
		}
	}
	*ns = append(*ns, n)
}

func (ns notes) write(groups []Group) {
	for _, n := range ns {
		text := n.text
		if what, ok := strings.CutPrefix(text, "needs "); ok {
			text = fmt.Sprintf("%d more, for %s", n.items, what)
		}
		line := "item --gap -- " + words(text)
		if n.need.Unless != "" {
			line = n.need.Unless + line + n.need.Tail
		}
		groups[n.group].Notes = append(groups[n.group].Notes, line)
	}
}
