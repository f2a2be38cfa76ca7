package config

import (
	"errors"
	"fmt"
	"strings"

	"pxeagent/agent/catalog"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
)

// RootShadow is the hash of root's password in SmartOS.
var RootShadow = SecretSource{
	Key: "menu.root_shadow", Env: envRootShadow,
	FileKey: "menu.root_shadow_file", File: func(c Config) string { return c.Menu.RootShadowFile },
	Credential: "menu-root-shadow",
}

// parseEntries reads menu.items: what stands in the menu first, and under which headings.
func parseEntries(c *Config, n partNode) {
	for _, at := range n.items() {
		if e, ok := parseEntry(at); ok {
			c.Menu.Entries = append(c.Menu.Entries, e)
		}
	}
}

func parseEntry(n partNode) (menu.Entry, bool) {
	before := len(*n.found)
	var e menu.Entry
	n.fields(map[string]func(partNode){
		"group":   into(&e.Group, parseHeading),
		"item":    into(&e.Item, parseItemPattern),
		"title":   into(&e.Title, parseHeading),
		"args":    into(&e.Args, parseKernelArgs),
		"console": into(&e.Console, catalog.ParseConsole),
		"hidden":  into(&e.Hidden, parseBool),
	})
	switch {
	case len(*n.found) > before:
	case e.Group == "" && e.Item == "":
		n.wrong("want group, which is a heading, or item, which is the key of an item or a pattern of keys")
	case e.Group != "" && e != (menu.Entry{Group: e.Group}):
		n.wrong("a group is a heading and nothing else; its items are entries of their own, below it")
	case e.Title != "" && strings.ContainsAny(e.Item, `*?[\`):
		n.wrong("one title cannot be that of all items that fit %q; name the item", e.Item)
	}
	return e, len(*n.found) == before
}

func parseHeading(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", errors.New("want a text")
	}
	return parseLine(s)
}

func parseItemPattern(s string) (string, error) { return s, catalog.CheckPattern(s) }

func parseKernelArgs(s string) (string, error) {
	if err := script.CheckArgs(s); err != nil {
		return "", fmt.Errorf("%q cannot be passed to a kernel: %w", s, err)
	}
	return s, nil
}
