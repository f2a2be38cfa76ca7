package menu

import (
	"encoding/json"

	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
)

// maxRendered bounds how many menus are kept: one for each kind of machine, and for each profile or choice.
const maxRendered = 64

// ingredients are all that the built-in template's menu is made of. Machines that have the same have the same menu.
type ingredients struct {
	settings       *Settings
	listed         *catalog.Listing
	platform, arch string
	choice         string // as JSON, without what is for people; "": the zero Choice
}

// rendered is such a menu.
type rendered struct {
	text []byte // never written to
	data Data
}

func ingredientsOf(d Data, conf *Settings, listed *catalog.Listing) ingredients {
	c := d.Choice
	c.Host, c.Why, c.Once = "", nil, false
	of := ingredients{settings: conf, listed: listed, platform: d.Facts.Platform, arch: d.Facts.Arch}
	if c.Profile != "" || c.Item != "" || c.SkipMenu || c.Args != "" || c.Console != "" || c.Timeout != nil ||
		len(c.Hide) > 0 {
		of.choice = asText(c)
	}
	return of
}

func asText(c machine.Choice) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has nothing that cannot be marshalled
	}
	return string(text)
}

// builtin is the menu of a machine by the built-in template. It is rendered once for all that have the same, until
// something changes.
func (b *Builder) builtin(d Data, conf *Settings, listed *catalog.Listing) ([]byte, Data) {
	of := ingredientsOf(d, conf, listed)
	b.mu.Lock()
	m, ok := b.rendered[of]
	b.mu.Unlock()
	if ok {
		m.data.Facts, m.data.Choice = d.Facts, d.Choice
		return m.text, m.data
	}
	d.put(b.base, conf, listed)
	text := builtinMenu(d)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rendered) >= maxRendered {
		clear(b.rendered)
	}
	b.rendered[of] = rendered{text, d}
	return text, d
}
