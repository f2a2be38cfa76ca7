package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"pxeagent/agent/firmware"
	"pxeagent/cmd/pxeagent/cli"
)

// Origin is where a value came from. Its order is the order of precedence.
type Origin struct {
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
func (o Origin) String() string {
	switch o.layer {
	case fromFile:
		return fmt.Sprintf("%s:%d", o.file, o.line)
	case fromEnv, fromFlag:
		return o.name
	}
	return "default"
}

// Short is String without the path of the file, which is not everyone's business: "file:4".
func (o Origin) Short() string {
	if o.layer == fromFile {
		o.file = "file"
	}
	return o.String()
}

// InFile reports whether the value stands in the file, or is the default.
func (o Origin) InFile() bool { return o.layer <= fromFile }

// Setting is one key's value after the layers were laid over each other.
type Setting struct {
	Key   Key
	Texts []string // none: not set, and no default
	From  Origin
}

// SetPart is a part of the file, and where it stands.
type SetPart struct {
	Name    string // as in the file, its sections joined by dots
	Entries int    // of the list or map; 0 where it is not there
	Text    string // what it says, without comments and blank lines
	From    Origin
}

// Loaded is a configuration and how it came about.
type Loaded struct {
	Config   Config
	File     string   // absolute path of the file that was read; "" for none
	Warnings Mistakes // what is accepted and should be written otherwise: old names
	Settings []Setting
	Parts    []SetPart
	secrets  []SecretSource
}

// Load lays flags over the environment over the file over the defaults, and turns what is left
// into typed values. What is wrong with them comes back as Mistakes, all at once; a file that
// cannot be read is a failure of its own. flags may be nil.
func (s *Schema) Load(flags *pflag.FlagSet) (Loaded, error) {
	var found Mistakes
	file, err := s.openFile(FlagValue(flags, "config"), &found)
	if err != nil {
		return Loaded{}, err
	}
	found = append(found, s.checkEnviron(os.Environ())...)

	v, err := s.layers(file, flags)
	if err != nil {
		return Loaded{}, err
	}
	l := Loaded{File: file.path, secrets: s.secrets}
	for _, k := range s.keys {
		set := Setting{Key: k, Texts: k.Shape.split(v.Get(k.Name)), From: originOf(k, file, flags)}
		if set.From.layer == fromFlag && len(set.Texts) == 0 {
			found.add(k.Name, set.From, "is empty; leave the flag out for the default")
		}
		if k.Path {
			if err := set.resolve(); err != nil {
				found.add(k.Name, set.From, "%v", err)
				continue
			}
		}
		for _, err := range set.decode(v, &l.Config) {
			found.add(k.Name, set.From, "%v", err)
		}
		l.Settings = append(l.Settings, set)
	}
	if l.Config.DHCP.Backend == autoBackend {
		l.Config.DHCP.Backend = s.chooseBackend(l.Config)
	}
	if shim, _ := l.Config.Boot.SecureBoot.Files(); shim != "" && l.From("boot.files.efi64").layer == fromDefault {
		l.Config.Boot.Files[firmware.EFI64] = shim
	}
	for _, p := range parts {
		node, there := file.parts[p.name]
		if there {
			p.set(&l.Config, partNode{node, p.name, file.path, &found})
		}
		s := SetPart{Name: p.name}
		if there {
			s.Entries, s.Text, s.From = len(node.Content), canonical(node),
				Origin{layer: fromFile, file: file.path, line: node.Line}
			if node.Kind == yaml.MappingNode {
				s.Entries /= 2
			}
		}
		l.Parts = append(l.Parts, s)
	}
	found, l.Warnings = found.split()
	found = append(found, l.check(s.backends, found)...)
	found = append(found, l.checkMachines(found)...)
	if len(found) > 0 {
		found.sort()
		return l, found
	}
	return l, nil
}

// layers lays flags over the environment over the file over the defaults. An empty variable counts as not set.
func (s *Schema) layers(file configFile, flags *pflag.FlagSet) (*viper.Viper, error) {
	v := viper.New()
	v.SetEnvPrefix(strings.TrimSuffix(envPrefix, "_"))
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	for _, k := range s.keys {
		v.SetDefault(k.Name, k.Default)
		if f := lookupFlag(flags, k.Flag); f != nil {
			if err := v.BindPFlag(k.Name, f); err != nil {
				return nil, fmt.Errorf("binding --%s: %w", k.Flag, err)
			}
		}
	}
	if isVerbose(flags) {
		v.Set(logLevel, "debug")
	}
	if err := v.MergeConfigMap(file.tree()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file.path, err)
	}
	return v, nil
}

// isVerbose: --verbose stands for --log-level debug, and --log-level itself wins.
func isVerbose(flags *pflag.FlagSet) bool {
	level := lookupFlag(flags, "log-level")
	return FlagValue(flags, "verbose") == "true" && (level == nil || !level.Changed)
}

// originOf is the layer that viper takes k from, which it does not say itself.
func originOf(k Key, file configFile, flags *pflag.FlagSet) Origin {
	if f := lookupFlag(flags, k.Flag); f != nil && f.Changed {
		return Origin{layer: fromFlag, name: "--" + k.Flag}
	}
	if k.Name == logLevel && isVerbose(flags) {
		return Origin{layer: fromFlag, name: "--verbose"}
	}
	if os.Getenv(k.Env()) != "" {
		return Origin{layer: fromEnv, name: k.Env()}
	}
	if val, ok := file.values[k.Name]; ok {
		return Origin{layer: fromFile, file: file.path, line: val.line}
	}
	return Origin{}
}

// decode has viper decode the setting into its field of c, each text by the key's own parser.
func (s Setting) decode(v *viper.Viper, c *Config) (wrong []error) {
	target := s.Key.Into
	field := target.field(c) // what is not set exists as well
	switch {
	case len(s.Texts) == 0:
		return nil
	case s.Key.Shape == List || s.Key.Shape == Words:
		v.Set(s.Key.Name, s.Texts)
	default:
		v.Set(s.Key.Name, s.Texts[0])
	}
	parse := func(_, _ reflect.Type, value any) (any, error) {
		text, ok := value.(string)
		if !ok { // a list, or what was parsed already
			return value, nil
		}
		parsed, err := target.parse(text)
		if err != nil {
			wrong = append(wrong, err)
		}
		return parsed, err
	}
	if err := v.UnmarshalKey(s.Key.Name, field, viper.DecodeHook(parse)); err != nil && len(wrong) == 0 {
		wrong = append(wrong, err)
	}
	for i, text := range s.Texts {
		if target.unique && slices.Index(s.Texts, text) < i {
			wrong = append(wrong, fmt.Errorf("duplicate value %q", text))
		}
	}
	return wrong
}

// resolve makes a path absolute. One in the file counts from the file's folder, any other from
// the working directory: a daemon's working directory is seldom where its file is.
func (s *Setting) resolve() error {
	for i, p := range s.Texts {
		if p == Stdin {
			continue
		}
		if s.From.layer == fromFile && !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(s.From.file), p)
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return fmt.Errorf("%q cannot be made absolute: %w", p, err)
		}
		s.Texts[i] = abs
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

func FlagValue(flags *pflag.FlagSet, name string) string {
	if f := lookupFlag(flags, name); f != nil {
		return f.Value.String()
	}
	return ""
}

// check is what can be said only of several keys together. Keys that are wrong by themselves
// are left alone.
func (l *Loaded) check(backends []Backend, wrong Mistakes) Mistakes {
	var found Mistakes
	c := &l.Config
	ok := func(name string) bool {
		return !slices.ContainsFunc(wrong, func(m Mistake) bool { return m.key == name })
	}
	add := func(name, format string, args ...any) {
		if ok(name) {
			found.add(name, l.From(name), format, args...)
		}
	}
	if n, m := len(c.Probe.Devices), len(c.Interfaces); n > 0 && ok("interface") && n != max(m, 1) {
		add("probe.device", "names %s for %s; want one device for each interface, in the same order, or none",
			cli.Count(n, "device"), cli.Count(m, "interface"))
	}
	for _, b := range backends {
		if b.Check != nil {
			b.Check(*c, add)
		}
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

func (l Loaded) From(name string) Origin {
	for _, s := range l.Settings {
		if s.Key.Name == name {
			return s.From
		}
	}
	return Origin{}
}

// inside reports whether the clean absolute path p is dir or below it.
func inside(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
