package opnsense

import (
	"encoding/json"
	"slices"
	"strings"
)

// text is a field of a row. OPNsense gives texts, a number where PHP made one of it, and lists where nothing is set.
type text string

// UnmarshalJSON takes any value; what has no text is "".
func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	switch {
	case len(b) == 0 || b[0] == '[' || b[0] == '{' || string(b) == "null" || string(b) == "false":
		return nil
	case string(b) == "true":
		*t = "1"
		return nil
	case b[0] != '"':
		*t = text(b)
		return nil
	}
	var s string
	err := json.Unmarshal(b, &s)
	*t = text(s)
	return err
}

// list are values that are joined by commas.
func (t text) list() []string {
	return strings.FieldsFunc(string(t), func(r rune) bool { return r == ',' || r == ' ' })
}

// object is a JSON object, for which PHP writes an empty list where it has no member.
type object[T any] struct{ Members T }

// UnmarshalJSON leaves a list alone.
func (o *object[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return nil
	}
	return json.Unmarshal(b, &o.Members)
}

// choices is a field with which some of several are selected.
type choices struct{ object[map[string]selectable] }

type selectable struct {
	Label    text `json:"value"`
	Selected text `json:"selected"` // "1" or "0"
}

// selected are the keys of those that are, sorted.
func (c choices) selected() []string {
	var keys []string
	for key, v := range c.Members {
		if v.Selected == "1" && key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
