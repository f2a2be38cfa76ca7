package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pxeagent/cmd/pxeagent/cli"
)

// mistake is one thing that is wrong with the configuration.
type Mistake struct {
	key  string // "" where it is not about a key, such as a syntax error
	text string // a clause about the key's value: `"x" is not …; want …`
	from Origin
	note bool // it is accepted: a warning, no mistake
}

// String is `dhcp.pfsense.url: "fw.lan" has no scheme; want https://fw.lan (pxeagent.yaml:12)`.
func (m Mistake) String() string {
	switch {
	case m.key == "":
		return fmt.Sprintf("%s: %s", m.from, m.text)
	case m.from.layer == fromDefault:
		return fmt.Sprintf("%s: %s", m.key, m.text)
	}
	return fmt.Sprintf("%s: %s (%s)", m.key, m.text, m.from)
}

// Mistakes is an error: all that is wrong at once.
type Mistakes []Mistake

func (ms *Mistakes) add(key string, from Origin, format string, args ...any) {
	*ms = append(*ms, Mistake{key: key, text: fmt.Sprintf(format, args...), from: from})
}

// warn notes what is accepted and should be written otherwise.
func (ms *Mistakes) warn(key string, from Origin, format string, args ...any) {
	*ms = append(*ms, Mistake{key: key, text: fmt.Sprintf(format, args...), from: from, note: true})
}

// sort puts those of the file first, by line, then those of variables and flags, in the table's order.
func (ms Mistakes) sort() {
	rank := func(l layer) int {
		if l == fromDefault {
			return int(fromFlag) + 1
		}
		return int(l)
	}
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(rank(a.from.layer), rank(b.from.layer)), cmp.Compare(a.from.line, b.from.line))
	})
}

// UnknownKey reports whether a key is not known, and no known one is like it.
func (ms Mistakes) UnknownKey() bool {
	return slices.ContainsFunc(ms, func(m Mistake) bool {
		return m.text == unknownKey || strings.HasPrefix(m.text, keysThere)
	})
}

// What is said of a key that is like no other; keysThere goes on with those that there are.
const unknownKey, keysThere = "unknown key", "unknown key; there are "

// Mistakes are those of the error, for --json.
func (ms Mistakes) Mistakes() any {
	out := make([]mistakeJSON, len(ms))
	for i, m := range ms {
		out[i] = mistakeJSON{m.key, m.text, m.from.String()}
	}
	return out
}

type mistakeJSON struct {
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
	From string `json:"from"`
}

func (ms Mistakes) Error() string {
	if len(ms) == 1 {
		return ms[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s in the configuration", cli.Count(len(ms), "mistake"))
	for _, m := range ms {
		fmt.Fprintf(&b, "\n  %s", m)
	}
	return b.String()
}

// nearKey is the key that a person who wrote name probably meant, or "".
func (s *Schema) nearKey(name string) string {
	norm := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	var all, sameEnd []string
	for _, name := range s.names() {
		all = append(all, name)
		if lastPart(name) == lastPart(norm) {
			sameEnd = append(sameEnd, name)
		}
	}
	if near := cli.Nearest(norm, all); near != "" {
		return near
	}
	if len(sameEnd) == 1 {
		return sameEnd[0]
	}
	// A slip in the last part, in the wrong section besides.
	var ends []string
	for _, k := range all {
		ends = append(ends, lastPart(k))
	}
	if near := cli.Nearest(lastPart(norm), ends); near != "" && count1(ends, near) {
		return all[slices.Index(ends, near)]
	}
	return ""
}

func count1(all []string, s string) bool {
	n := 0
	for _, e := range all {
		if e == s {
			n++
		}
	}
	return n == 1
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
