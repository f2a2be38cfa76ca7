package config

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// renamed are the keys of the file that once had another name. They are accepted under it, with a warning that names
// the new one.
var renamed = []struct {
	old, new string            // patterns of path.Match; they differ in what follows the last dot
	values   map[string]string // old values, and what they are called now
}{
	{"profiles.*.boot", "profiles.*.menu", map[string]string{"straight": "skip", "menu": "show"}},
}

// newName is what the key name is called now, and its value n as it is written now.
func newName(name string, n *yaml.Node) (string, *yaml.Node, bool) {
	for _, r := range renamed {
		if ok, _ := path.Match(r.old, name); !ok {
			continue
		}
		now := *n
		if v, ok := r.values[n.Value]; ok && n.Kind == yaml.ScalarNode {
			now.Value = v
		}
		return name[:strings.LastIndexByte(name, '.')+1] + lastPart(r.new), &now, true
	}
	return name, n, false
}

// split parts mistakes from warnings.
func (ms Mistakes) split() (wrong, notes Mistakes) {
	for _, m := range ms {
		if m.note {
			notes = append(notes, m)
		} else {
			wrong = append(wrong, m)
		}
	}
	return wrong, notes
}
