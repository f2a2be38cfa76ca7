package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// Shape is how a key's value is written.
type Shape uint8

const (
	Single Shape = iota // one text
	List                // several; in one text they are separated by commas
	Words               // a command; in one text its words are separated by blanks
	YesNo               // true or false; as a flag it needs no value
)

// split turns what a layer holds (a text, or the elements of a list) into texts.
// None means not set.
func (s Shape) split(v any) []string {
	var texts []string
	switch v := v.(type) {
	case string:
		switch s {
		case List:
			texts = splitList(v)
		case Words:
			texts = strings.Fields(v)
		default:
			if v != "" {
				texts = []string{v}
			}
		}
	case []string:
		if s != List {
			return v
		}
		for _, e := range v {
			texts = append(texts, splitList(e)...)
		}
	}
	return texts
}

func splitList(s string) []string {
	var texts []string
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			texts = append(texts, e)
		}
	}
	return texts
}

// addTo gives flags the flag of k.
func (k Key) addTo(flags *pflag.FlagSet) {
	usage := k.Usage
	if k.Shape == List {
		usage += " (repeatable)"
	}
	f := flags.VarPF(&FlagText{Arg: k.Arg, repeats: k.Shape == List}, k.Flag, "", usage)
	// Shown in help only: load lays the defaults under everything else.
	f.DefValue = k.Default
	if k.Shape == YesNo {
		f.NoOptDefVal = "true"
	}
}

// FlagText is a flag's value before it is parsed: load does that, so that Mistakes in flags are
// reported together with all others.
type FlagText struct {
	texts   []string
	Arg     string // what stands for the value in help; "" for yes and no
	repeats bool
}

func (f *FlagText) Set(s string) error {
	if !f.repeats {
		f.texts = nil
	}
	f.texts = append(f.texts, s)
	return nil
}

func (f *FlagText) String() string { return strings.Join(f.texts, ",") }

// Type is shown in help. It is never "bool" and the like: viper would convert these itself, and
// lose what was written.
func (f *FlagText) Type() string { return f.Arg }

// Target is where a key's value goes, and how a text of it is parsed. Errors of parse are clauses about the value, to
// be put after the key: `"x" is not …; want …`.
type Target struct {
	field  func(*Config) any // a pointer
	parse  func(string) (any, error)
	unique bool // the same text twice is an error
}

// One is the target of a key with one text.
func One[T any](field func(*Config) *T, parse func(string) (T, error)) Target {
	return Target{
		field: func(c *Config) any { return field(c) },
		parse: func(s string) (any, error) { return parse(s) },
	}
}

// Many is the target of a key with several.
func Many[T any](field func(*Config) *[]T, parse func(string) (T, error)) Target {
	return Target{
		field: func(c *Config) any { return field(c) },
		parse: func(s string) (any, error) { return parse(s) },
	}
}

// Unique is t, and the same text twice is an error.
func Unique(t Target) Target {
	t.unique = true
	return t
}

// Text takes one line as it is.
func Text(field func(*Config) *string) Target { return One(field, parseLine) }

// Argv takes a command as it is.
func Argv(field func(*Config) *[]string) Target { return Many(field, parseLine) }

// Choice takes one of a few names.
func Choice[T ~string](field func(*Config) *T, names ...T) Target {
	return One(field, func(s string) (T, error) {
		texts := make([]string, len(names))
		for i, n := range names {
			if string(n) == s {
				return n, nil
			}
			texts[i] = string(n)
		}
		return "", notOneOf(s, texts)
	})
}
