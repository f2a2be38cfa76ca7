package opnsensetest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The lists of Dnsmasq's section.
var (
	ranges = &section{module: "dnsmasq", root: "range", path: "dhcp_ranges", safe: true, check: checkRange,
		rows:    func(c *Config) rows { return list[Range]{&c.Dnsmasq.Ranges} },
		choices: map[string]choices{"interface": theInterfaces, "set_tag": theTags}}
	tags = &section{module: "dnsmasq", root: "tag", path: "dhcp_tags", safe: true, check: checkTag,
		rows: func(c *Config) rows { return list[Tag]{&c.Dnsmasq.Tags} }}
	options = &section{module: "dnsmasq", root: "option", path: "dhcp_options", safe: true, check: checkOption,
		rows:  func(c *Config) rows { return list[Option]{&c.Dnsmasq.Options} },
		needs: "option", defaults: map[string]string{"type": "set"},
		choices: map[string]choices{"type": theTypes, "option": theNumbers, "interface": theInterfaces, "tag": theTags,
			"set_tag": theTags}}
	boots = &section{module: "dnsmasq", root: "boot", path: "dhcp_boot", safe: true, check: checkBoot,
		rows:    func(c *Config) rows { return list[Boot]{&c.Dnsmasq.Boots} },
		choices: map[string]choices{"interface": theInterfaces, "tag": theTags}}
)

// newUUID is a random one.
func (f *Firewall) newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// save does what each save of a module does: it stores the pages' defaults, and uuids of rows that have none.
func (f *Firewall) save(c *Config, module string) {
	if module != "dnsmasq" {
		return
	}
	c.Dnsmasq.Saved = true
	for _, s := range []*section{ranges, tags, options, boots} {
		r := s.rows(c)
		for i := range r.size() {
			if id := r.uuid(i); *id == "" {
				*id = f.newUUID()
			}
		}
	}
}

// choices are what a field can have, and what the pages call it.
type choices func(f *Firewall) map[string]string

func theInterfaces(f *Firewall) map[string]string {
	all := f.conf.interfaceNames()
	all[""] = "Any"
	return all
}

func theTags(f *Firewall) map[string]string {
	all := map[string]string{}
	for _, t := range f.conf.Dnsmasq.Tags {
		all[t.UUID] = t.Tag
	}
	return all
}

func theTypes(*Firewall) map[string]string { return map[string]string{"set": "Set", "match": "Match"} }

func theNumbers(f *Firewall) map[string]string {
	names := map[int]string{3: "router ", 6: "dns-server ", 42: "ntp-server ", 60: "vendor-class ", 66: "tftp-server ",
		67: "bootfile-name ", 77: "user-class ", 93: "client-arch "}
	all := map[string]string{"": ""}
	for n := range 255 {
		if number := strconv.Itoa(n); f.takesOption(number) {
			all[number] = fmt.Sprintf("%s[%d]", names[n], n)
		}
	}
	return all
}

// labels are what the pages call values that are joined by commas.
func labels(all map[string]string, values string) string {
	var list []string
	for value := range strings.SplitSeq(values, ",") {
		label, there := all[value]
		if !there {
			label = value
		}
		list = append(list, label)
	}
	return strings.Join(list, ", ")
}

// selection is a field in which some of all can be selected.
func selection(all map[string]string, selected string) m {
	object := m{}
	chosen := strings.Split(selected, ",")
	for value, label := range all {
		object[value] = m{"value": label, "selected": map[bool]int{true: 1}[slices.Contains(chosen, value)]}
	}
	return object
}

// form is a row as a form wants it.
func (f *Firewall) form(s *section, row map[string]string) m {
	top := m{}
	for field, value := range row {
		at, name := top, field
		if group, rest, inGroup := strings.Cut(field, "."); inGroup {
			if at[group] == nil {
				at[group] = m{}
			}
			at, name = at[group].(m), rest
		}
		at[name] = value
		if all := s.choices[field]; all != nil {
			at[name] = selection(all(f), value)
		}
	}
	return top
}

func (c *Config) interfaceNames() map[string]string {
	all := map[string]string{}
	for _, i := range c.Interfaces {
		all[i.ID] = i.Description
	}
	return all
}

func number(on bool) string { return map[bool]string{true: "1", false: "0"}[on] }

func (f *Firewall) getDnsmasq(q request) answer {
	if q.post {
		return ok([]any{})
	}
	d := f.conf.Dnsmasq
	dhcp := m{
		"no_interface": selection(f.conf.interfaceNames(), strings.Join(d.NoInterface, ",")),
		"fqdn":         "1", "domain": "", "local": "1", "lease_max": "", "authoritative": "0", "default_fw_rules": "1",
		"reply_delay": "", "enable_ra": "0", "nosync": "0", "this_domain": domain,
	}
	if f.since(26, 1, 5) {
		dhcp["host_ping"] = number(d.HostPing)
	}
	all := m{
		"enable": number(d.Enable), "port": d.Port, "dns_port": cmp.Or(d.Port, "53"), "no_ident": "1", "dhcp": dhcp,
		"interface": selection(f.conf.interfaceNames(), strings.Join(d.Interfaces, ",")),
		"hosts":     []any{}, "domainoverrides": []any{},
	}
	for _, s := range []*section{ranges, tags, options, boots} {
		r := s.rows(&f.conf)
		object := m{}
		for i := range r.size() {
			object[cmp.Or(*r.uuid(i), f.newUUID())] = f.form(s, r.fields(i))
		}
		all[s.path] = object
		if len(object) == 0 {
			all[s.path] = []any{}
		}
	}
	return ok(m{"dnsmasq": all})
}

// setDnsmasq sets single values, and rows by their uuids: unknown ones are made under another, and no row is deleted.
// Tags that are new in the same call are not known to the other rows in it.
func (f *Firewall) setDnsmasq(q request) answer {
	_, there, wrong := q.root("dnsmasq")
	switch {
	case wrong:
		return fellOver
	case !there:
		return failed
	}
	object := q.body["dnsmasq"].(map[string]any)
	next := f.conf.clone()
	f.save(&next, "dnsmasq")
	d := &next.Dnsmasq
	fields := map[string]string{}
	flatten("", object, fields)
	for name, set := range map[string]func(string){
		"enable":            func(v string) { d.Enable = v == "1" },
		"port":              func(v string) { d.Port = v },
		"interface":         func(v string) { d.Interfaces = split(v) },
		"dhcp.no_interface": func(v string) { d.NoInterface = split(v) },
		"dhcp.host_ping":    func(v string) { d.HostPing = v == "1" },
	} {
		if value, there := fields[name]; there {
			set(value)
		}
	}
	bad := m{}
	known := f.conf.clone()
	for _, s := range []*section{boots, options, ranges, tags} {
		byUUID, _ := object[s.path].(map[string]any)
		for uuid, value := range byUUID {
			row, isObject := value.(map[string]any)
			if !isObject {
				return fellOver
			}
			r := s.rows(&next)
			i := s.index(r, uuid)
			if i < 0 {
				r.add(f.newUUID())
				i = r.size() - 1
				r.set(i, s.defaults)
			}
			fields := map[string]string{}
			flatten("", row, fields)
			r.set(i, fields)
			s.check(f, &known, r.fields(i), *r.uuid(i), func(field, message string) {
				bad["dnsmasq."+s.path+"."+uuid+"."+field] = message
			})
		}
	}
	if len(bad) > 0 {
		return ok(m{"result": "failed", "validations": bad})
	}
	return f.commit(next, m{"result": "saved"})
}

// split is a list of texts joined by commas.
func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// tagList is what the pages' filter offers.
func (f *Firewall) tagList(request) answer {
	var interfaces, named []m
	for _, i := range f.conf.Interfaces {
		interfaces = append(interfaces, m{"value": i.ID, "label": i.Description})
	}
	for _, t := range f.conf.Dnsmasq.Tags {
		named = append(named, m{"value": t.UUID, "label": t.Tag})
	}
	items := func(l []m) []m { return append([]m{}, l...) }
	return ok(m{
		"interfaces": m{"label": "Interfaces", "icon": "fa fa-ethernet text-info", "items": items(interfaces)},
		"tags":       m{"label": "Tags", "icon": "fa fa-tag text-primary", "items": items(named)},
	})
}
