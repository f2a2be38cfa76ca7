package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// shape is how a key's value is written.
type shape uint8

const (
	single shape = iota // one text
	list                // several; in one text they are separated by commas
	words               // a command; in one text its words are separated by blanks
	yesno               // true or false; as a flag it needs no value
)

// split turns what a layer holds (a text, or the elements of a list) into texts.
// None means not set.
func (s shape) split(v any) []string {
	var texts []string
	switch v := v.(type) {
	case string:
		switch s {
		case list:
			texts = splitList(v)
		case words:
			texts = strings.Fields(v)
		default:
			if v != "" {
				texts = []string{v}
			}
		}
	case []string:
		if s != list {
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
func (k key) addTo(flags *pflag.FlagSet) {
	usage := k.usage
	if k.shape == list {
		usage += " (repeatable)"
	}
	f := flags.VarPF(&flagText{arg: k.arg, repeats: k.shape == list}, k.flag, "", usage)
	// Shown in help only: load lays the defaults under everything else.
	f.DefValue = k.def
	if k.shape == yesno {
		f.NoOptDefVal = "true"
	}
}

// flagText is a flag's value before it is parsed: load does that, so that mistakes in flags are
// reported together with all others.
type flagText struct {
	texts   []string
	arg     string // what stands for the value in help; "" for yes and no
	repeats bool
}

func (f *flagText) Set(s string) error {
	if !f.repeats {
		f.texts = nil
	}
	f.texts = append(f.texts, s)
	return nil
}

func (f *flagText) String() string { return strings.Join(f.texts, ",") }

// Type is shown in help. It is never "bool" and the like: viper would convert these itself, and
// lose what was written.
func (f *flagText) Type() string { return f.arg }

// setter parses texts, of which there is at least one, into its field of c. Each error is a
// clause about the value, to be put after the key: `"x" is not …; want …`.
type setter func(c *Config, texts []string) []error

func one[T any](field func(*Config) *T, parse func(string) (T, error)) setter {
	return func(c *Config, texts []string) []error {
		v, err := parse(texts[0])
		if err != nil {
			return []error{err}
		}
		*field(c) = v
		return nil
	}
}

func many[T any](field func(*Config) *[]T, parse func(string) (T, error)) setter {
	return func(c *Config, texts []string) (errs []error) {
		for _, t := range texts {
			v, err := parse(t)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			*field(c) = append(*field(c), v)
		}
		return errs
	}
}

// unique is set, and the same text twice is an error.
func unique(set setter) setter {
	return func(c *Config, texts []string) []error {
		errs := set(c, texts)
		seen := map[string]bool{}
		for _, t := range texts {
			if seen[t] {
				errs = append(errs, fmt.Errorf("%q is there twice", t))
			}
			seen[t] = true
		}
		return errs
	}
}

// text takes one line as it is.
func text(field func(*Config) *string) setter { return one(field, parseLine) }

// argv takes a command as it is.
func argv(field func(*Config) *[]string) setter { return many(field, parseLine) }

// choice takes one of a few names.
func choice[T ~string](field func(*Config) *T, names ...T) setter {
	return one(field, func(s string) (T, error) {
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
