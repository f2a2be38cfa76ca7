package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Backend is what the configuration has of one DHCP server: its own keys, and what is said of them together.
type Backend struct {
	Name    string // as dhcp.backend takes it
	Keys    []Key  // all below dhcp.NAME
	Secrets []SecretSource
	// Networks is what its networks go by: "a device". AutoWhen is Auto in words: "an interface is set".
	Networks, AutoWhen string
	// Auto: with dhcp.backend auto it is the one to configure, unless a later backend of the schema is; nil: never.
	Auto func(Config) bool
	// SendsURL: with dhcp.http_boot auto, the URL for HTTP boot is sent.
	SendsURL bool
	// Check is what can be said only of several keys together; nil: nothing. Each mistake goes to wrong, with its key.
	Check func(c Config, wrong func(key, format string, args ...any))
}

// Schema is all that can be configured.
type Schema struct {
	backends []Backend
	keys     []Key // in the order in which a person meets them
	secrets  []SecretSource
}

// NewSchema has the keys of pxeagent itself and those of the backends.
func NewSchema(backends ...Backend) *Schema {
	s := &Schema{backends: backends, keys: networkKeys(backends)}
	for _, b := range backends {
		s.keys = append(s.keys, b.Keys...)
		s.secrets = append(s.secrets, b.Secrets...)
	}
	s.keys = append(s.keys, serverKeys...)
	s.secrets = append(s.secrets, PageToken, RootShadow, WebhookSecret)
	return s
}

// chooseBackend is the one that dhcp.backend: auto means.
func (s *Schema) chooseBackend(c Config) string {
	for _, b := range slices.Backward(s.backends) {
		if b.Auto != nil && b.Auto(c) {
			return b.Name
		}
	}
	return NoBackend
}

// AddFlags gives flags those of the named keys. Values are checked by Load, so that mistakes
// in flags are reported together with all others.
func (s *Schema) AddFlags(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		k, ok := s.find(name)
		if !ok || k.Flag == "" {
			panic(fmt.Sprintf("no flag for key %q", name))
		}
		k.addTo(flags)
	}
}

// AddFlags gives flags those of the keys that have one.
func AddFlags(flags *pflag.FlagSet, keys []Key) {
	for _, k := range keys {
		if k.Flag != "" {
			k.addTo(flags)
		}
	}
}

func (s *Schema) find(name string) (Key, bool) {
	i := slices.IndexFunc(s.keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return s.keys[i], true
}

// names are those of all that may stand in the file.
func (s *Schema) names() []string {
	var all []string
	for _, k := range s.keys {
		all = append(all, k.Name)
	}
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

func (s *Schema) isSection(name string) bool {
	return slices.ContainsFunc(s.names(), func(n string) bool { return strings.HasPrefix(n, name+".") })
}

// under lists what may stand in the section name.
func (s *Schema) under(name string) []string {
	var below []string
	for _, n := range s.names() {
		if rest, ok := strings.CutPrefix(n, name+"."); ok {
			first, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(below, first) {
				below = append(below, first)
			}
		}
	}
	return below
}

// Markdown is the table of keys for the documentation.
func (s *Schema) Markdown() string {
	var b strings.Builder
	b.WriteString("| key | flag | default | meaning |\n|---|---|---|---|\n")
	for _, k := range s.keys {
		flag, def := "", ""
		if k.Flag != "" {
			flag = "`--" + k.Flag + "`"
		}
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, flag, def, strings.ReplaceAll(k.Usage, "|", `\|`))
	}
	for _, p := range parts {
		fmt.Fprintf(&b, "| `%s` | | | %s |\n", p.name, strings.ReplaceAll(p.usage, "|", `\|`))
	}
	return b.String()
}

// backendNames are what dhcp.backend takes.
func backendNames(all []Backend) []string {
	names := []string{autoBackend}
	for _, b := range all {
		names = append(names, b.Name)
	}
	return append(names, NoBackend)
}

// backendUsage is "DHCP server to configure: a, b, none; auto: b if its url is set, else a if an interface is set".
func backendUsage(all []Backend) string {
	var chosen []string
	for _, b := range slices.Backward(all) {
		if b.Auto != nil {
			chosen = append(chosen, b.Name+" if "+b.AutoWhen)
		}
	}
	return fmt.Sprintf("DHCP server to configure: %s; auto: %s", strings.Join(backendNames(all)[1:], ", "),
		strings.Join(append(chosen, NoBackend), ", else "))
}

// networkNames is ": a device (a); an id or a device (b)".
func networkNames(all []Backend) string {
	var names []string
	for _, b := range all {
		names = append(names, fmt.Sprintf("%s (%s)", b.Networks, b.Name))
	}
	return listed(": ", names, "; ", "")
}

// senders is " (a, b)": the backends that send the URL for HTTP boot with dhcp.http_boot auto.
func senders(all []Backend) string {
	var names []string
	for _, b := range all {
		if b.SendsURL {
			names = append(names, b.Name)
		}
	}
	return listed(" (", names, ", ", ")")
}

// listed are the names in one text; "" where there is none.
func listed(before string, names []string, sep, after string) string {
	if len(names) == 0 {
		return ""
	}
	return before + strings.Join(names, sep) + after
}
