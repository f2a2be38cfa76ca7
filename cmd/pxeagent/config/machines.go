package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
)

// parseHosts reads the part hosts: a list of machines.
func parseHosts(c *Config, n partNode) {
	for _, item := range n.items() {
		h := machine.Host{Line: item.Line}
		item.fields(map[string]func(partNode){
			"name":         into(&h.Name, parseLine),
			"mac":          several(&h.MACs, parseHostMAC),
			"uuid":         several(&h.UUIDs, parseHostUUID),
			"serial":       several(&h.Serials, parseFact),
			"asset":        several(&h.Assets, parseFact),
			"address":      several(&h.Addresses, machine.ParseRange),
			"manufacturer": into(&h.Manufacturer, parseFact),
			"product":      into(&h.Product, parseFact),
			"profile":      into(&h.Profile, parseLine),
			"nbp":          into(&h.NBP, parseBootFile),
			"labels": func(n partNode) {
				h.Labels = map[string]string{}
				for _, e := range n.entries() {
					into(new(string), parseLine)(e.value)
					h.Labels[e.key] = e.value.Value
				}
			},
		})
		c.Hosts = append(c.Hosts, h)
	}
}

// parseProfiles reads the part profiles: a map of what kinds of machines boot.
func parseProfiles(c *Config, n partNode) {
	for _, e := range n.entries() {
		p := machine.Profile{Name: e.key, Line: n.keyLine(e.key), Canary: machine.DefaultCanary}
		if e.value.empty() {
			c.Profiles = append(c.Profiles, p)
			continue
		}
		e.value.fields(map[string]func(partNode){
			"image":   into(&p.Image, parseLine),
			"nbp":     into(&p.NBP, parseBootFile),
			"version": into(&p.Version, parseLine),
			"args":    into(&p.Args, parseMachineArgs),
			"console": into(&p.Console, parseMachineConsole),
			"menu":    into(&p.SkipMenu, either("skip", "show")),
			"when":    into(&p.Once, either("once", "always")),
			"timeout": func(n partNode) {
				var t time.Duration
				into(&t, parseMenuTimeout)(n)
				p.Timeout = &t
			},
			"hide":      several(&p.Hide, parseItemPattern),
			"canary":    into(&p.Canary, parseCanary),
			"provision": into(&p.Any, either("any", "own")),
		})
		c.Profiles = append(c.Profiles, p)
	}
}

// keyLine is where a key of a map stands. The value of one may begin in the next line.
func (n partNode) keyLine(key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i].Line
		}
	}
	return n.Line
}

// several reads one value or a list of them.
func several[T any](dst *[]T, parse func(string) (T, error)) func(partNode) {
	return func(n partNode) {
		values := []partNode{n}
		if len(n.Content) > 0 || n.Value == "" {
			values = n.items()
		}
		for _, v := range values {
			var one T
			before := len(*n.found)
			if into(&one, parse)(v); len(*n.found) == before {
				*dst = append(*dst, one)
			}
		}
	}
}

// either takes one of two words; true is the first.
func either(yes, no string) func(string) (bool, error) {
	return func(s string) (bool, error) {
		switch s {
		case yes:
			return true, nil
		case no:
			return false, nil
		}
		return false, notOneOf(s, []string{no, yes})
	}
}

func parseHostMAC(s string) (string, error) {
	mac, err := parseMAC(s)
	return mac.String(), err
}

func parseHostUUID(s string) (string, error) {
	id, err := machine.ParseID(s)
	if err != nil || strings.Contains(string(id), ":") {
		return "", fmt.Errorf("invalid UUID %q: want one such as 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60", s)
	}
	return string(id), nil
}

// parseFact takes what machines tell, in the form in which it is kept of requests.
func parseFact(s string) (string, error) {
	if f := boot.ReadFacts(func(string) string { return s }).Serial; f != "" {
		return f, nil
	}
	return "", fmt.Errorf("invalid text %q: want one line of at most 128 bytes", s)
}

// parseMachineArgs looks at kernel arguments as they are with every fact in its place.
func parseMachineArgs(s string) (string, error) {
	if err := machine.CheckArgs(s); err != nil {
		return "", err
	}
	_, err := parseKernelArgs(machine.Expand(s, machine.Values{}))
	return s, err
}

func parseMachineConsole(s string) (string, error) {
	_, err := catalog.ParseConsole(s)
	return s, err
}

func parseCanary(s string) (time.Duration, error) {
	if s == "off" {
		return -1, nil
	}
	d, err := parseDuration(s)
	if err == nil && d > 30*24*time.Hour {
		err = fmt.Errorf("%q is out of range; want 0s to 720h, or off", s)
	}
	return d, err
}

// Machines are the hosts and profiles, checked together. What is wrong comes as Mistakes, at the places in the file.
func (l Loaded) Machines() (*machine.Inventory, Mistakes) {
	c := &l.Config
	inventory, err := machine.New(c.Hosts, c.Profiles)
	wrong, _ := err.(machine.Mistakes)
	var found Mistakes
	for _, m := range wrong {
		key := "profiles." + m.Profile
		if m.Host >= 0 {
			key = fmt.Sprintf("hosts[%d]", m.Host)
		}
		if m.Field != "" {
			key += "." + m.Field
		}
		found.add(key, Origin{layer: fromFile, file: l.File, line: m.Line}, "%s", m.Text)
	}
	return inventory, found
}

// checkMachines is what can be said of hosts and profiles together. Of those that are wrong by themselves nothing more
// is said.
func (l *Loaded) checkMachines(wrong Mistakes) Mistakes {
	spoilt := map[string]bool{}
	for _, m := range wrong {
		spoilt[entryOf(m.key)] = true
	}
	if spoilt["hosts"] || spoilt["profiles"] {
		return nil
	}
	_, found := l.Machines()
	return slices.DeleteFunc(found, func(m Mistake) bool { return spoilt[entryOf(m.key)] })
}

// entryOf is the host or profile that a key is about: hosts[2] of hosts[2].mac, profiles.p of profiles.p.boot.
func entryOf(key string) string {
	part, rest, _ := strings.Cut(key, ".")
	if name, _, _ := strings.Cut(rest, "."); part == "profiles" && name != "" {
		return part + "." + name
	}
	return part
}
