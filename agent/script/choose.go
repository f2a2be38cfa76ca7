package script

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// menu runs menu, item and choose.
func (r *runner) menu(s *state, c parsed, number int) *state {
	switch c.effect {
	case doMenu:
		name := c.options["name"]
		delete(s.menus, name)
		if !c.has("delete") {
			s.menus[name] = menuState{title: readable(strings.Join(c.args, " "))}
		}
		return s
	case doItem:
		name := c.options["menu"] + c.options["form"]
		m, has := s.menus[name]
		if !has && s.open {
			m, has = menuState{}, true // a menu that includes this script has begun it
		}
		if !has {
			r.findHere(s, number, Error, NoMenu, "item without a menu")
			return fail(s)
		}
		if len(c.args) > 0 && !c.has("gap") {
			m.items = append(slices.Clip(m.items), Item{c.args[0], readable(strings.Join(c.args[1:], " "))})
			s.menus[name] = m
		}
		return s
	}
	return r.choose(s, c, number)
}

// choose parts the ways: each item may be the one, and the escape key fails. The menu is gone then, unless it is kept.
func (r *runner) choose(s *state, c parsed, number int) *state {
	name := c.options["menu"]
	setting, _ := splitName(c.args[0])
	m, has := s.menus[name]
	if !c.has("keep") {
		delete(s.menus, name)
	}
	if len(m.items) == 0 && s.open && !has {
		s = r.both(s, "")
		s.settings[setting] = value{text: unknown(setting)}
		return s
	}
	if len(m.items) == 0 {
		r.findHere(s, number, Warning, NoMenu, "choose without a menu that has items fails")
		return fail(s)
	}
	if d := c.options["default"]; d != "" && isKnown(d) && !m.offers(d) {
		r.findHere(s, number, Warning, NoItem, "the default %q is not an item of the menu", d)
	}
	r.menuShown(m, c)
	tried := map[string]bool{}
	for _, i := range m.items {
		if tried[i.Label] {
			continue
		}
		tried[i.Label] = true
		way := s.fork()
		way.settings[setting] = value{text: i.Label}
		way.choose(r.place(s), i.Label)
		r.push(way)
	}
	if !r.caught(s) {
		r.findHere(s, number, Warning, Uncaught, "choose without ||: the escape key ends the script")
	}
	return fail(s)
}

// offers reports whether a menu has an item of that name, as far as its names are known.
func (m menuState) offers(name string) bool {
	return slices.ContainsFunc(m.items, func(i Item) bool { return i.Label == name || !isKnown(i.Label) })
}

// menuShown records a menu as choose shows it.
func (r *runner) menuShown(m menuState, c parsed) {
	shown := Menu{Title: m.title, Default: readable(c.options["default"])}
	for _, i := range m.items {
		shown.Items = append(shown.Items, Item{readable(i.Label), i.Title})
	}
	if ms, err := strconv.ParseUint(c.options["timeout"], 0, 31); err == nil {
		shown.Timeout = time.Duration(ms) * time.Millisecond
	}
	same := func(o Menu) bool {
		return o.Title == shown.Title && o.Default == shown.Default && o.Timeout == shown.Timeout &&
			slices.Equal(o.Items, shown.Items)
	}
	if len(r.Menus) < maxMenus && !slices.ContainsFunc(r.Menus, same) {
		r.Menus = append(r.Menus, shown)
	}
}

// maxMenus bounds how many menus a Report has.
const maxMenus = 64
