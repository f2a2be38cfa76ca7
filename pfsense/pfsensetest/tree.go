package pfsensetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Tree is a part of config.xml as pfSense's PHP represents it: a value is a string, a Tree, or a []Tree for a repeated
// element. An empty string is an element that is present and empty. Marshalled to JSON its keys are sorted, so that two
// can be compared.
type Tree map[string]any

// ParseTree parses a JSON object of strings, objects and lists of objects. An empty list is an empty string, as in
// config.xml.
func ParseTree(text []byte) (Tree, error) {
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("reading a configuration: %w", err)
	}
	return treeOf(all)
}

func treeOf(all map[string]any) (Tree, error) {
	t := Tree{}
	for name, value := range all {
		switch v := value.(type) {
		case string:
			t[name] = v
		case map[string]any:
			under, err := treeOf(v)
			if err != nil {
				return nil, err
			}
			t[name] = under
		case []any:
			list := make([]Tree, len(v))
			for i := range v {
				one, isTree := v[i].(map[string]any)
				if !isTree {
					return nil, fmt.Errorf("reading a configuration: %s holds %v; want objects", name, v[i])
				}
				var err error
				if list[i], err = treeOf(one); err != nil {
					return nil, err
				}
			}
			if t[name] = list; len(list) == 0 {
				t[name] = ""
			}
		default:
			return nil, fmt.Errorf("reading a configuration: %s is %v; want a text, an object or a list", name, value)
		}
	}
	return t, nil
}

// Set sets the element at path, such as "dhcpd/opt1/staticmap/1/filename", and creates the elements above it. A list is
// only written to if it is that long already.
func (t Tree) Set(path string, value any) {
	above, name := t.above(path, true)
	above[name] = value
}

// Remove removes the element at path, if it exists.
func (t Tree) Remove(path string) {
	if above, name := t.above(path, false); above != nil {
		delete(above, name)
	}
}

// Text is the text of the element at path, and whether it exists. An element with children has none.
func (t Tree) Text(path string) (text string, there bool) {
	value := t.at(path)
	text, _ = value.(string)
	return text, value != nil
}

// Under is the tree at path; nil if there is none.
func (t Tree) Under(path string) Tree {
	under, _ := t.at(path).(Tree)
	return under
}

// List is the repeated element at path.
func (t Tree) List(path string) []Tree {
	list, _ := t.at(path).([]Tree)
	return list
}

func (t Tree) at(path string) any {
	var at any = t
	for part := range strings.SplitSeq(path, "/") {
		switch here := at.(type) {
		case Tree:
			at = here[part]
		case []Tree:
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || n >= len(here) {
				return nil
			}
			at = here[n]
		default:
			return nil
		}
	}
	return at
}

// above is the tree that has, or would have, the last element of path. It panics on a path through a missing list,
// which is a bug in a test.
func (t Tree) above(path string, create bool) (Tree, string) {
	parts := strings.Split(path, "/")
	at := t
	for i := 0; i < len(parts)-1; i++ {
		switch next := at[parts[i]].(type) {
		case Tree:
			at = next
		case []Tree:
			i++
			n, err := strconv.Atoi(parts[i])
			if err != nil || n < 0 || n >= len(next) || i == len(parts)-1 {
				panic(fmt.Sprintf("pfsensetest: no element %q", path))
			}
			at = next[n]
		default:
			if !create {
				return nil, parts[len(parts)-1]
			}
			made := Tree{}
			at[parts[i]] = made
			at = made
		}
	}
	return at, parts[len(parts)-1]
}

// Clone is a deep copy.
func (t Tree) Clone() Tree {
	if t == nil {
		return nil
	}
	c := make(Tree, len(t))
	for name, value := range t {
		switch v := value.(type) {
		case Tree:
			c[name] = v.Clone()
		case []Tree:
			list := make([]Tree, len(v))
			for i := range v {
				list[i] = v[i].Clone()
			}
			c[name] = list
		default:
			c[name] = value
		}
	}
	return c
}

func (t Tree) String() string {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// keaCustom is the custom configuration at Kea's top level; nil if absent.
func (t Tree) keaCustom() *string {
	text, there := t.Text("kea/custom_kea_config")
	if !there {
		return nil
	}
	return &text
}

// keaElement reports whether there is an element kea without content.
func (t Tree) keaElement() bool {
	text, there := t.Text("kea")
	return there && text == "" && len(t.Under("kea")) == 0
}

// setKeaCustom leaves an element without content only if there was one, or with element.
func (t Tree) setKeaCustom(text *string, element bool) {
	if text != nil {
		if t.Under("kea") == nil {
			t["kea"] = Tree{}
		}
		t.Set("kea/custom_kea_config", *text)
		return
	}
	t.Remove("kea/custom_kea_config")
	if len(t.Under("kea")) == 0 {
		delete(t, "kea")
		if element {
			t["kea"] = ""
		}
	}
}

// keyNames are the settings of network boot, of an interface, a pool or a static mapping.
var keyNames = []string{"netboot", "nextserver", "filename", "filename32", "filename64", "filename32arm",
	"filename64arm", "uefihttpboot"}

// Keys are the network boot settings as pxeagent's programs name them: all eight, nil if absent.
type Keys map[string]*string

func keysOf(t Tree) Keys {
	k := Keys{}
	for _, name := range keyNames {
		k[name] = nil
		if text, there := t.Text(name); there {
			k[name] = &text
		}
	}
	return k
}

func (k Keys) equal(other Keys) bool {
	return !slices.ContainsFunc(keyNames, func(name string) bool {
		a, b := k[name], other[name]
		return (a == nil) != (b == nil) || a != nil && *a != *b
	})
}

func (k Keys) writeTo(t Tree) {
	for _, name := range keyNames {
		if text := k[name]; text != nil {
			t[name] = *text
		} else {
			delete(t, name)
		}
	}
}

// MarshalJSON writes the eight in pfSense's order; nil Keys are null.
func (k Keys) MarshalJSON() ([]byte, error) {
	if k == nil {
		return []byte("null"), nil
	}
	var b strings.Builder
	for i, name := range keyNames {
		text, err := json.Marshal(k[name])
		if err != nil {
			return nil, err
		}
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0] + strconv.Quote(name) + ":" + string(text))
	}
	return []byte(b.String() + "}"), nil
}

// interfaceIDs lists the interfaces in the order in which pfSense keeps them: wan, lan, opt1, opt2, …
func (t Tree) interfaceIDs() []string {
	var ids []string
	for id := range t.Under("interfaces") {
		ids = append(ids, id)
	}
	rank := func(id string) int {
		switch {
		case id == "wan":
			return -2
		case id == "lan":
			return -1
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(id, "opt"))
		return n
	}
	slices.SortFunc(ids, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return ids
}
