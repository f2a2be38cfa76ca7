package opnsense

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"pxeagent/agent/dhcp"
)

// rows are the tables of Dnsmasq's pages that have to do with network boot, in the order of the lines that the firewall
// makes of them.
type rows struct{ tags, options, boots []entry }

// searches are the actions that list a table, and their names in other actions: setBoot, delBoot.
var searches = map[table]string{tags: "Tag", options: "Option", boots: "Boot"}

func (h *session) rows(ctx context.Context, o overview) (rows, error) {
	var r rows
	for _, part := range []struct {
		table table
		to    *[]entry
	}{{tags, &r.tags}, {options, &r.options}, {boots, &r.boots}} {
		found, err := search[map[string]text](ctx, h, "/api/dnsmasq/settings/search"+searches[part.table])
		if err != nil {
			return rows{}, err
		}
		for _, row := range found {
			e := newEntry(part.table, string(row["uuid"]), row)
			if why := o.labelled(e); why != "" {
				return rows{}, tooOld(why)
			}
			*part.to = append(*part.to, e)
		}
	}
	return r, nil
}

// numbered is an option as OPNsense 25.1 names it: "client-arch [93]".
var numbered = regexp.MustCompile(`\[[0-9]+\]$`)

// labelled says what shows that a row has labels where later versions have values; "" if nothing does.
func (o overview) labelled(e entry) string {
	kind := e.Fields["type"]
	switch {
	case e.Table != tags && o.isLabel(e.Fields["interface"]):
		return fmt.Sprintf("interface %q is named by its label", e.Fields["interface"])
	case numbered.MatchString(e.Fields["option"]):
		return fmt.Sprintf("option %q is named by its label", e.Fields["option"])
	case kind != "" && kind != strings.ToLower(kind):
		return fmt.Sprintf("an option's type is %q", kind)
	}
	return ""
}

// of are the rows that pxeagent owns.
func (r rows) of(o own) []entry {
	var list []entry
	for _, part := range [][]entry{r.tags, r.options, r.boots} {
		for _, e := range part {
			if o.has(e.UUID) {
				list = append(list, e)
			}
		}
	}
	return list
}

// problems are those of foreign rows that Elsewhere cannot judge.
func (r rows) problems(o own, want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	mine := map[string]bool{}
	for _, e := range o.entries(want) {
		mine[e.Fields["tag"]] = e.Table == tags
	}
	for _, e := range r.tags {
		if name := e.Fields["tag"]; mine[name] && !o.has(e.UUID) {
			list = append(list, dhcp.Refusal("tag-taken",
				"somebody else's tag is called %s (DHCP tags), which pxeagent needs: rename it or delete it", name))
		}
	}
	for _, part := range [][]entry{r.options, r.boots} {
		for _, e := range part {
			if o.has(e.UUID) {
				continue
			}
			if column := e.unsafe(); column != "" {
				list = append(list, dhcp.Refusal("unsafe-text",
					"%s has a single quote mark or a line break in %q: Dnsmasq does not start with it, so that nobody has DHCP: "+
						"correct it", e.where(), column))
			}
		}
	}
	return list
}

// unsafe is the column with a text that kills; "": none.
func (e entry) unsafe() string {
	for _, column := range columns[e.Table] {
		if column != "description" && kills(e.Fields[column]) {
			return column
		}
	}
	return ""
}

// kills reports whether Dnsmasq does not start with a text in one of its lines: a quote that is not closed, or what
// becomes a line of its own.
func kills(value string) bool {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\n', '\r':
			return true
		case '"':
			quoted = !quoted
		case '\\':
			if quoted {
				i++
			}
		}
	}
	return quoted
}

// where is where a person finds a row.
func (e entry) where() string {
	page := map[table]string{tags: "DHCP tags", options: "DHCP options", boots: "DHCP options: Boot"}[e.Table]
	if e.Fields["type"] == "match" {
		page = "DHCP options / match"
	}
	if d := e.Fields["description"]; d != "" {
		return fmt.Sprintf("%s, %q", page, d)
	}
	return page
}
