package opnsense

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// table is one of the tables of Dnsmasq's pages.
type table string

const (
	tags    table = "tag"
	options table = "option"
	boots   table = "boot"
)

// columns are the fields of a table's rows that say something of network boot, all of which pxeagent sets.
var columns = map[table][]string{
	tags:    {"tag"},
	options: {"type", "option", "option6", "interface", "tag", "set_tag", "value", "force", "description"},
	boots:   {"interface", "tag", "filename", "servername", "address", "description"},
}

// entry is a row of a table, with the columns that are known. A flag that is off is "0".
type entry struct {
	Table  table             `json:"table"`
	UUID   string            `json:"uuid"`
	Fields map[string]string `json:"fields"`
}

func newEntry(t table, uuid string, fields map[string]text) entry {
	e := entry{Table: t, UUID: strings.ToLower(uuid), Fields: map[string]string{}}
	for _, c := range columns[t] {
		e.Fields[c] = string(fields[c])
	}
	if t == options && e.Fields["force"] == "" {
		e.Fields["force"] = "0"
	}
	return e
}

func (e entry) same(f entry) bool { return e.Table == f.Table && maps.Equal(e.Fields, f.Fields) }

// own are pxeagent's entries for one interface.
type own struct{ iface string }

func (o own) scope() string { return "dnsmasq " + o.iface }

func (o own) uuid(t table, what ...string) string {
	return ownUUID(o.scope(), append([]string{string(t)}, what...)...)
}

func (o own) has(uuid string) bool { return isOwn(o.scope(), strings.ToLower(uuid)) }

// tag is the name of a kind's tag. Up to 26.1.8 there may be letters and digits only.
func (o own) tag(kind string) string {
	return "pxeagent" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, o.iface+kind)
}

// entries are those for b, in the order in which they are made: iPXE's boot entry is the last.
func (o own) entries(b dhcp.Boot) []entry {
	var list, last []entry
	about := text("pxeagent: network boot on " + o.iface)
	for _, r := range dnsmasq.Rules(b) {
		tag := o.uuid(tags, r.Kind)
		list = append(list, newEntry(tags, tag, map[string]text{"tag": text(o.tag(r.Kind))}))
		match := func(option, value string) {
			list = append(list, newEntry(options, o.uuid(options, r.Kind, option, value), map[string]text{
				"type": "match", "option": text(option), "set_tag": text(tag), "value": text(value), "description": about,
			}))
		}
		for _, n := range r.Arches {
			match("93", strconv.Itoa(int(n)))
		}
		if r.IPXE() {
			match("175", "") // whatever its value
		}
		if r.Vendor != "" {
			list = append(list, newEntry(options, o.uuid(options, r.Kind, "60"), map[string]text{
				"type": "set", "option": "60", "tag": text(tag), "interface": text(o.iface), "value": text(r.Vendor),
				"force": "1", "description": about,
			}))
		}
		// An address without a server name would be taken for that name.
		server := text(r.Server.String())
		last = append(last, newEntry(boots, o.bootUUID(r.Kind), map[string]text{
			"interface": text(o.iface), "tag": text(tag), "filename": text(r.File), "servername": server, "address": server,
			"description": about,
		}))
	}
	return append(list, last...)
}

func (o own) bootUUID(kind string) string { return o.uuid(boots, kind) }

// isIPXE reports whether e is the boot entry that has to stand after the others: the last that matches wins.
func (o own) isIPXE(e entry) bool { return e.Table == boots && e.UUID == o.bootUUID("ipxe") }

// canonical are entries in an order that depends only on what they say. That is their order in the firewall only as far
// as it matters: iPXE's boot entry is the last boot entry where it stands after all others, and the first otherwise.
func (o own) canonical(list []entry) []entry {
	place := map[string]int{}
	for n, e := range o.entries(everything()) {
		place[e.UUID] = n
	}
	rank := map[table]int{tags: 0, options: 1, boots: 2}
	last := func() bool {
		for _, e := range slices.Backward(list) {
			if e.Table == boots {
				return o.isIPXE(e)
			}
		}
		return false
	}()
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b entry) int {
		if by := rank[a.Table] - rank[b.Table]; by != 0 {
			return by
		}
		if o.isIPXE(a) != o.isIPXE(b) {
			if o.isIPXE(a) == last {
				return 1
			}
			return -1
		}
		return cmp.Or(place[a.UUID]-place[b.UUID], strings.Compare(a.UUID, b.UUID))
	})
	return sorted
}

// everything is a Boot of which each kind has a rule.
func everything() dhcp.Boot {
	var b dhcp.Boot
	for _, k := range dnsmasq.Kinds() {
		_ = dnsmasq.Add(&b, k, "-", "0.0.0.0")
	}
	return b
}

// encode is entries as a record; nil for none.
func (o own) encode(list []entry) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return json.Marshal(o.canonical(list))
}

func decode(raw []byte) (list []entry, err error) {
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading the recorded entries: %w", err)
	}
	for _, e := range list {
		if columns[e.Table] == nil || !isUUID(e.UUID) {
			return nil, errors.New("reading the recorded entries: one of them is not an entry of Dnsmasq's pages")
		}
	}
	return list, nil
}

// isUUID reports whether text may stand in a path.
func isUUID(s string) bool {
	return len(s) == 36 && strings.Trim(s, "0123456789abcdef-") == ""
}

// state is what pxeagent's entries say, which stand in the order of the firewall; edited says how they differ from what
// it writes, "" if they do not.
func (o own) state(list []entry) (s dhcp.State, edited string, err error) {
	for _, e := range list {
		if e.Table != boots {
			continue
		}
		for _, k := range dnsmasq.Kinds() {
			if e.UUID != o.bootUUID(k) {
				continue
			}
			if err := dnsmasq.Add(&s.Boot, k, e.Fields["filename"], e.Fields["address"]); err != nil {
				edited = err.Error()
			}
		}
	}
	if s.Raw, err = o.encode(list); err != nil {
		return s, "", err
	}
	want, err := o.encode(o.entries(s.Boot))
	if err == nil && edited == "" && string(want) != string(s.Raw) {
		edited = "something that pxeagent does not write, or lack something"
	}
	return s, edited, err
}

// between reports whether a write from one record to another that was interrupted may have left now: each entry is as
// it was or as it was to be, or has been deleted to be set again.
func (o own) between(now, from, to dhcp.State) bool {
	var sides [3]map[string]entry
	for n, s := range []dhcp.State{now, from, to} {
		list, err := decode(s.Raw)
		if err != nil {
			return false
		}
		sides[n] = byUUID(list)
	}
	is, was, willBe := sides[0], sides[1], sides[2]
	for id, e := range is {
		a, inFrom := was[id]
		b, inTo := willBe[id]
		if !(inFrom && e.same(a)) && !(inTo && e.same(b)) {
			return false
		}
	}
	for id, a := range was {
		_, there := is[id]
		if _, stays := willBe[id]; stays && !there && a.Table != boots {
			return false
		}
	}
	return true
}

func byUUID(list []entry) map[string]entry {
	m := map[string]entry{}
	for _, e := range list {
		m[e.UUID] = e
	}
	return m
}
