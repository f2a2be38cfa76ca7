package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pxeagent/cmd/pxeagent/cli"
)

// part is a piece of the file with a shape of its own: lists, and maps whose keys people choose. Such a piece has no
// flag and no variable. What it sets stays within its own field of Config.
type part struct {
	name  string // as in the file, its sections joined by dots
	usage string // one line, no full stop
	set   func(*Config, partNode)
}

// The parts in the order in which a person meets them.
var parts = []part{
	{"hosts", "machines by mac, uuid, serial, asset, address, manufacturer or product, with name, labels, profile and " +
		"nbp: see Machines", parseHosts},
	{"profiles", "what machines boot, by name: image, version, args, console, nbp, menu, when, timeout, hide, " +
		"canary, provision: see Machines", parseProfiles},
	{"menu.items", "what stands in the menu first: headings (group) and items (item, title, args, console, hidden): " +
		"see The menu", parseEntries},
	{"images", "what `image sync` brings to disk: recipe, version, arch, keep, from, sha256, mirror, title, args: see " +
		"Images", parseImages},
	{"mirrors", "URLs to fetch from in place of a recipe's own, by recipe: see Images", parseMirrors},
}

// canonical is what a part says, whatever stands around it.
func canonical(n *yaml.Node) string {
	var b strings.Builder
	var write func(n *yaml.Node, depth int)
	write = func(n *yaml.Node, depth int) {
		if n.Kind == yaml.AliasNode && depth < 100 { // one that holds itself has no end
			n = n.Alias
		}
		fmt.Fprintf(&b, "(%d %q", n.Kind, n.Value)
		for _, e := range n.Content {
			if b.Len() < 4*maxConfig { // aliases of aliases
				write(e, depth+1)
			}
		}
		b.WriteByte(')')
	}
	write(n, 0)
	return b.String()
}

func findPart(name string) (part, bool) {
	i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
	if i < 0 {
		return part{}, false
	}
	return parts[i], true
}

// partNode is a place in a part of the file.
type partNode struct {
	*yaml.Node
	name  string // for mistakes: "hosts[2].mac"
	file  string // absolute
	found *Mistakes
}

// wrong notes a mistake at this place.
func (n partNode) wrong(format string, args ...any) {
	n.found.add(n.name, Origin{layer: fromFile, file: n.file, line: n.Line}, format, args...)
}

func (n partNode) at(node *yaml.Node, name string) partNode {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return partNode{node, name, n.file, n.found}
}

// empty: nothing, or a key with nothing after it.
func (n partNode) empty() bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// items are the elements of a list. What is no list is a mistake, and has none.
func (n partNode) items() []partNode {
	if n.empty() {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		n.wrong("want a list, not %s", describe(n.Node))
		return nil
	}
	var out []partNode
	for i, e := range n.Content {
		out = append(out, n.at(e, fmt.Sprintf("%s[%d]", n.name, i)))
	}
	return out
}

// entry is a key of a map with its value.
type entry struct {
	key   string
	value partNode
}

// entries are those of a map, in the file's order. What is no map is a mistake, and has none.
func (n partNode) entries() []entry {
	if n.empty() {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		n.wrong("want keys under it, not %s", describe(n.Node))
		return nil
	}
	var out []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		e := entry{k.Value, n.at(n.Content[i+1], n.name+"."+k.Value)}
		switch {
		case k.Kind != yaml.ScalarNode || k.Value == "":
			n.at(k, n.name).wrong("want a text as key, not %s", describe(k))
		case slices.ContainsFunc(out, func(o entry) bool { return o.key == e.key }):
			n.at(k, e.value.name).wrong("duplicate key (first on line %d)", n.keyLine(k.Value))
		default:
			out = append(out, e)
		}
	}
	return out
}

// fields gives the value of each key of a map to the function of that name. A key without one is a mistake.
func (n partNode) fields(take map[string]func(partNode)) {
	var names []string
	for name := range take {
		names = append(names, name)
	}
	slices.Sort(names)
	entries := n.entries()
	for _, e := range entries {
		if now, value, is := newName(n.name+"."+e.key, e.value.Node); is {
			old := e.value
			e.key, e.value = lastPart(now), old.at(value, now)
			if slices.ContainsFunc(entries, func(o entry) bool { return o.key == e.key }) {
				old.wrong("is the old name of %s, which is set as well", e.key)
				continue
			}
			old.found.warn(old.name, Origin{layer: fromFile, file: n.file, line: old.Line}, "is called %s now, and here %s: %s",
				e.key, e.key, value.Value)
		}
		set, known := take[e.key]
		switch near := cli.Nearest(e.key, names); {
		case known && e.value.empty():
		case known:
			set(e.value)
		case secretWord.MatchString(e.key):
			e.value.wrong("unknown key: secrets do not stand in this file")
		case near != "":
			e.value.wrong("unknown key; did you mean %s?", near)
		default:
			e.value.wrong(keysThere+"%s", strings.Join(names, ", "))
		}
	}
}

// text is a single value. What is none is a mistake, and "".
func (n partNode) text() string {
	if n.Kind != yaml.ScalarNode {
		n.wrong("want one value, not %s", describe(n.Node))
		return ""
	}
	return n.Value
}

// texts are one value or a list of them.
func (n partNode) texts() []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for _, e := range n.items() {
		out = append(out, e.text())
	}
	return out
}

// path is a file's or folder's name, made absolute as those of keys are.
func (n partNode) path() string {
	p := n.text()
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(n.file), p)
}

// into sets a typed value by a parser of config_parse.go's kind, whose error is a clause about the value.
func into[T any](dst *T, parse func(string) (T, error)) func(partNode) {
	return func(n partNode) {
		if n.Kind != yaml.ScalarNode {
			n.text()
			return
		}
		v, err := parse(n.Value)
		if err != nil {
			n.wrong("%v", err)
			return
		}
		*dst = v
	}
}
