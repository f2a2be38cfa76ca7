package opnsensetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// rows is a list of the configuration, whatever its rows are.
type rows interface {
	size() int
	uuid(i int) *string
	fields(i int) map[string]string
	set(i int, fields map[string]string)
	add(uuid string)
	remove(i int)
}

// list is the rows of one type. T has its fields' names as JSON tags, and a UUID.
type list[T any] struct{ all *[]T }

func (l list[T]) size() int { return len(*l.all) }

func (l list[T]) uuid(i int) *string {
	return reflect.ValueOf(&(*l.all)[i]).Elem().FieldByName("UUID").Addr().Interface().(*string)
}

func (l list[T]) fields(i int) map[string]string {
	fields := map[string]string{}
	recode((*l.all)[i], &fields)
	return fields
}

func (l list[T]) set(i int, fields map[string]string) { recode(fields, &(*l.all)[i]) }

func (l list[T]) add(uuid string) {
	var row T
	*l.all = append(*l.all, row)
	*l.uuid(l.size() - 1) = uuid
}

func (l list[T]) remove(i int) { *l.all = slices.Delete(*l.all, i, i+1) }

// recode puts what from says into to, by JSON. Both are flat objects of texts.
func recode(from, to any) {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		panic(fmt.Sprintf("opnsensetest: row: %v", err))
	}
}

// section is a list of the configuration, and how the API names it.
type section struct {
	module   string // "dnsmasq"
	root     string // "boot", the key of its objects
	path     string // "dhcp_boot"
	rows     func(*Config) rows
	defaults map[string]string
	choices  map[string]choices // of fields that hold something else than they show
	sort     string             // the field that searches sort by; "": none
	// hide are fields that the version does not have.
	hide func(f *Firewall) []string
	// check are the messages about a row's fields.
	check func(f *Firewall, c *Config, row map[string]string, uuid string, say func(field, message string))
	// needs is a field without which PHP falls over.
	needs string
	safe  bool // a row that something refers to cannot be deleted
	// before is called before a row is set.
	before func(*Config)
}

// serve puts the section's actions into all.
func (s *section) serve(all map[string]endpoint, prefix, name string) {
	all[prefix+"search"+name] = endpoint{0, s.search}
	all[prefix+"get"+name] = endpoint{0, s.get}
	all[prefix+"add"+name] = endpoint{0, s.add}
	all[prefix+"set"+name] = endpoint{1, s.set}
	all[prefix+"del"+name] = endpoint{1, s.del}
}

// index is where the row with a uuid is; -1 for none.
func (s *section) index(r rows, uuid string) int {
	for i := range r.size() {
		if *r.uuid(i) == uuid {
			return i
		}
	}
	return -1
}

// visible are a row's fields as the version has them.
func (s *section) visible(f *Firewall, row map[string]string) map[string]string {
	if s.hide != nil {
		for _, field := range s.hide(f) {
			delete(row, field)
		}
	}
	return row
}

func (s *section) search(f *Firewall, q request) answer {
	r := s.rows(&f.conf)
	shown := map[string]map[string]string{}
	for field, all := range s.choices {
		shown[field] = all(f)
	}
	list := []m{}
	for i := range r.size() {
		row := m{"uuid": cmp.Or(*r.uuid(i), f.newUUID())}
		for field, value := range s.visible(f, r.fields(i)) {
			row[field] = value
			switch all := shown[field]; {
			case all == nil:
			case f.since(25, 7):
				row["%"+field] = labels(all, value)
			default:
				row[field] = labels(all, value)
			}
		}
		list = append(list, row)
	}
	if s.sort != "" {
		slices.SortStableFunc(list, func(a, b m) int {
			return strings.Compare(a[s.sort].(string), b[s.sort].(string))
		})
	}
	return q.search(list)
}

// get is one row as forms want it, with all that can be selected; without a uuid a new one.
func (s *section) get(f *Firewall, q request) answer {
	var row map[string]string
	if len(q.params) > 0 {
		r := s.rows(&f.conf)
		i := s.index(r, q.params[0])
		if i < 0 {
			return ok([]any{})
		}
		row = r.fields(i)
	} else {
		c := Config{}
		r := s.rows(&c)
		r.add("")
		r.set(0, s.defaults)
		row = r.fields(0)
	}
	return ok(m{s.root: f.form(s, s.visible(f, row))})
}

func (s *section) add(f *Firewall, q request) answer {
	fields, there, wrong := q.root(s.root)
	switch {
	case wrong:
		return fellOver
	case !there:
		return failed
	}
	uuid := f.newUUID()
	a := s.write(f, uuid, fields)
	if body, isObject := a.body.(m); isObject && body["result"] == "saved" {
		body["uuid"] = uuid
	}
	return a
}

// uuidShape is the only one that an upsert takes.
var uuidShape = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func (s *section) set(f *Firewall, q request) answer {
	fields, there, wrong := q.root(s.root)
	switch uuid := q.params[0]; {
	case wrong:
		return fellOver
	case !there, s.index(s.rows(&f.conf), uuid) < 0 && !uuidShape.MatchString(uuid):
		return failed
	default:
		return s.write(f, uuid, fields)
	}
}

// write sets fields of the row with a uuid, which is made where there is none.
func (s *section) write(f *Firewall, uuid string, fields map[string]string) answer {
	next := f.conf.clone()
	f.save(&next, s.module)
	r := s.rows(&next)
	i := s.index(r, uuid)
	if i < 0 {
		if _, there := fields[s.needs]; s.needs != "" && !there {
			return fellOver
		}
		r.add(uuid)
		i = r.size() - 1
		r.set(i, s.defaults)
	}
	r.set(i, fields)
	if s.before != nil {
		s.before(&next)
	}
	if bad := s.validate(f, &next, i); len(bad) > 0 {
		return ok(m{"result": "failed", "validations": bad})
	}
	return f.commit(next, m{"result": "saved"})
}

// validate is what is wrong with a row: a text, or a list of texts, by "boot.filename".
func (s *section) validate(f *Firewall, c *Config, i int) m {
	bad := m{}
	r := s.rows(c)
	s.check(f, c, s.visible(f, r.fields(i)), *r.uuid(i), func(field, message string) {
		name := s.root + "." + field
		switch old := bad[name].(type) {
		case nil:
			bad[name] = message
		case string:
			bad[name] = []string{old, message}
		case []string:
			bad[name] = append(old, message)
		}
	})
	return bad
}

func (s *section) del(f *Firewall, q request) answer {
	if !q.post {
		return failed
	}
	next := f.conf.clone()
	f.save(&next, s.module)
	result, changed := "failed", false
	for uuid := range strings.SplitSeq(q.params[0], ",") {
		if users := next.users(uuid); s.safe && users != "" {
			return userError(fmt.Sprintf("Item %s {%s} in use by:", s.path, uuid), users)
		}
		r := s.rows(&next)
		i := s.index(r, uuid)
		if i < 0 {
			result = "not found"
			continue
		}
		r.remove(i)
		result, changed = "deleted", true
	}
	if !changed {
		return ok(m{"result": result})
	}
	return f.commit(next, m{"result": result})
}

// commit stores a configuration, if the user may.
func (f *Firewall) commit(next Config, body m) answer {
	if f.opts.ReadOnly {
		return userError("General access", "User pxeagent denied for write access (user-config-readonly set)")
	}
	if !reflect.DeepEqual(next, f.conf) {
		f.writes++
		f.conf = next
	}
	return ok(body)
}

// users is a line for each row that refers to a uuid.
func (c *Config) users(uuid string) string {
	var out strings.Builder
	for _, s := range []*section{ranges, tags, options, boots} {
		r := s.rows(c)
		for i := range r.size() {
			row := r.fields(i)
			for _, value := range row {
				if strings.Contains(value, uuid) {
					fmt.Fprintf(&out, "%s - %s {%s.%s.%s}\n", s.module, row["description"], s.module, s.path, *r.uuid(i))
				}
			}
		}
	}
	return out.String()
}
