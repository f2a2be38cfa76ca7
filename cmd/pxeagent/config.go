package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"pxeagent/agent/guard"
	"pxeagent/cmd/pxeagent/cli"
)

// origin is where a value came from. Its order is the order of precedence.
type origin struct {
	layer layer
	file  string // fromFile
	line  int    // fromFile
	name  string // fromEnv: the variable; fromFlag: the flag with its dashes
}

type layer uint8

const (
	fromDefault layer = iota
	fromFile
	fromEnv
	fromFlag
)

// String is what a person is shown: "default", "/etc/pxeagent/pxeagent.yaml:4",
// "PXEAGENT_INTERFACE", "--interface".
func (o origin) String() string {
	switch o.layer {
	case fromFile:
		return fmt.Sprintf("%s:%d", o.file, o.line)
	case fromEnv, fromFlag:
		return o.name
	}
	return "default"
}

// setting is one key's value after the layers were laid over each other.
type setting struct {
	key   key
	texts []string // none: not set, and no default
	from  origin
}

// setPart is a part of the file, and where it stands.
type setPart struct {
	part
	entries int    // of the list or map; 0 where it is not there
	text    string // what it says, without comments and blank lines
	from    origin
}

// loaded is a configuration and how it came about.
type loaded struct {
	Config   Config
	File     string // absolute path of the file that was read; "" for none
	Settings []setting
	Parts    []setPart

	guard *guard.Guard // of what this command asks on the wire
	login *login       // to the firewall; nil where no command asked for it
}

// load lays flags over the environment over the file over the defaults, and turns what is left
// into typed values. What is wrong with them comes back as mistakes, all at once; a file that
// cannot be read is a failure of its own. flags may be nil.
func load(flags *pflag.FlagSet) (loaded, error) {
	var found mistakes
	file, err := openConfigFile(flagValue(flags, "config"), &found)
	if err != nil {
		return loaded{}, err
	}
	found = append(found, checkEnviron(os.Environ())...)

	// Empty variables count as not set, which is viper's rule as well.
	v := viper.New()
	for _, k := range keys {
		v.SetDefault(k.name, k.def)
		if err := v.BindEnv(k.name, k.env()); err != nil {
			return loaded{}, fmt.Errorf("binding %s: %w", k.env(), err)
		}
		if f := lookupFlag(flags, k.flag); f != nil {
			if err := v.BindPFlag(k.name, f); err != nil {
				return loaded{}, fmt.Errorf("binding --%s: %w", k.flag, err)
			}
		}
	}
	if err := v.MergeConfigMap(file.tree()); err != nil {
		return loaded{}, fmt.Errorf("reading %s: %w", file.path, err)
	}

	l := loaded{File: file.path}
	for _, k := range keys {
		s := setting{key: k, from: whence(k, file, flags)}
		s.texts = k.shape.split(v.Get(k.name))
		if k.name == "log.level" && s.from.layer != fromFlag && flagValue(flags, "verbose") == "true" {
			s.texts, s.from = []string{"debug"}, origin{layer: fromFlag, name: "--verbose"}
		}
		if s.from.layer == fromFlag && len(s.texts) == 0 {
			found.add(k.name, s.from, "is empty; leave the flag out for the default")
		}
		if k.path {
			if err := s.resolve(); err != nil {
				found.add(k.name, s.from, "%v", err)
				continue
			}
		}
		if len(s.texts) > 0 {
			for _, err := range k.set(&l.Config, s.texts) {
				found.add(k.name, s.from, "%v", err)
			}
		}
		l.Settings = append(l.Settings, s)
	}
	for _, p := range parts {
		node, there := file.parts[p.name]
		if there {
			p.set(&l.Config, partNode{node, p.name, file.path, &found})
		}
		s := setPart{part: p}
		if there {
			s.entries, s.text, s.from = len(node.Content), canonical(node), origin{layer: fromFile, file: file.path, line: node.Line}
			if node.Kind == yaml.MappingNode {
				s.entries /= 2
			}
		}
		l.Parts = append(l.Parts, s)
	}
	found = append(found, l.check(found)...)
	found = append(found, l.checkMachines(found)...)
	if len(found) > 0 {
		found.sort()
		return l, found
	}
	return l, nil
}

// whence is the layer that viper takes k from.
func whence(k key, file configFile, flags *pflag.FlagSet) origin {
	if f := lookupFlag(flags, k.flag); f != nil && f.Changed {
		return origin{layer: fromFlag, name: "--" + k.flag}
	}
	if os.Getenv(k.env()) != "" {
		return origin{layer: fromEnv, name: k.env()}
	}
	if val, ok := file.values[k.name]; ok {
		return origin{layer: fromFile, file: file.path, line: val.line}
	}
	return origin{}
}

// resolve makes a path absolute. One in the file counts from the file's folder, any other from
// the working directory: a daemon's working directory is seldom where its file is.
func (s *setting) resolve() error {
	for i, p := range s.texts {
		if p == stdinName {
			continue
		}
		if s.from.layer == fromFile && !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(s.from.file), p)
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return fmt.Errorf("%q cannot be made absolute: %w", p, err)
		}
		s.texts[i] = abs
	}
	return nil
}

// tree is the file's values as nested maps, as viper wants them.
func (f configFile) tree() map[string]any {
	root := map[string]any{}
	for name, val := range f.values {
		at := root
		path := strings.Split(name, ".")
		for _, section := range path[:len(path)-1] {
			next, ok := at[section].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[section] = next
			}
			at = next
		}
		at[path[len(path)-1]] = val.value()
	}
	return root
}

func lookupFlag(flags *pflag.FlagSet, name string) *pflag.Flag {
	if flags == nil || name == "" {
		return nil
	}
	return flags.Lookup(name)
}

func flagValue(flags *pflag.FlagSet, name string) string {
	if f := lookupFlag(flags, name); f != nil {
		return f.Value.String()
	}
	return ""
}

// check is what can be said only of several keys together. Keys that are wrong by themselves
// are left alone.
func (l *loaded) check(wrong mistakes) mistakes {
	var found mistakes
	c := &l.Config
	ok := func(name string) bool {
		return !slices.ContainsFunc(wrong, func(m mistake) bool { return m.key == name })
	}
	add := func(name, format string, args ...any) {
		if ok(name) {
			found.add(name, l.from(name), format, args...)
		}
	}
	if n, m := len(c.Probe.Devices), len(c.Interfaces); n > 0 && ok("interface") && n != max(m, 1) {
		add("probe.device", "names %s for %s; want one device for each interface, in the same order, or none",
			cli.Count(n, "device"), cli.Count(m, "interface"))
	}
	if c.DHCP.Backend == PfSense && ok("dhcp.backend") {
		p := c.DHCP.PfSense
		if p.URL == nil {
			add("dhcp.pfsense.url", "is not set; dhcp.backend pfsense needs it, such as https://fw.lan")
		}
		if p.User == "" && p.Transport == "xmlrpc" {
			add("dhcp.pfsense.user", "is not set; dhcp.pfsense.transport xmlrpc needs it")
		}
	}
	if p := c.DHCP.PfSense; p.PasswordFile == stdinName && p.APIKeyFile == stdinName {
		add("dhcp.pfsense.api_key_file", "is standard input, and dhcp.pfsense.password_file as well; want one of them")
	}
	if t, h := c.Serve.Root, c.StateDir; t != "" && h != "" {
		for _, tree := range []string{"tftp", "http"} {
			if served := filepath.Join(t, tree); inside(served, h) {
				add("state_dir", "%q lies in %s, which is served to everyone; want a folder outside of it", h, served)
			}
		}
	}
	return found
}

func (l *loaded) from(name string) origin {
	for _, s := range l.Settings {
		if s.key.name == name {
			return s.from
		}
	}
	return origin{}
}

// inside reports whether the clean absolute path p is dir or below it.
func inside(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
