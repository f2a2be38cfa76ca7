package opnsense

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
)

// step is one request that changes a table.
type step struct {
	table table
	set   entry    // of a set
	del   []string // uuids of a deletion; nil: it is a set
}

// steps are the requests that make ours, which stand in the order of the firewall, those of to, which are in canonical
// order. Only what differs is written. Tags are made first and deleted last, as the firewall keeps those that are in
// use.
func (o own) steps(now, to []entry) []step {
	is, want := byUUID(now), byUUID(to)
	moved := o.moved(now, to)
	gone := map[table][]string{}
	for _, e := range now {
		if _, stays := want[e.UUID]; !stays || moved[e.UUID] {
			gone[e.Table] = append(gone[e.Table], e.UUID)
		}
	}
	var list []step
	drop := func(t table) {
		if gone[t] != nil {
			list = append(list, step{table: t, del: gone[t]})
		}
	}
	drop(boots)
	drop(options)
	for _, e := range to {
		if old, there := is[e.UUID]; !there || !old.same(e) || moved[e.UUID] {
			list = append(list, step{table: e.Table, set: e})
		}
	}
	drop(tags)
	return list
}

// moved are the boot entries that have to be deleted and set again to stand where they should: a new one goes last, and
// one that is set keeps its place.
func (o own) moved(now, to []entry) map[string]bool {
	is, want := byUUID(now), byUUID(to)
	var order, added []entry
	for _, e := range now {
		if _, stays := want[e.UUID]; stays && e.Table == boots {
			order = append(order, e)
		}
	}
	for _, e := range to {
		if _, there := is[e.UUID]; !there && e.Table == boots {
			added = append(added, e)
		}
	}
	order = append(order, added...)
	end := func(list []entry) bool { return len(list) > 0 && o.isIPXE(list[len(list)-1]) }
	moved := map[string]bool{}
	ipxe := slices.ContainsFunc(order, o.isIPXE)
	for _, e := range order {
		switch {
		case !ipxe || end(order) == end(to):
		case o.isIPXE(e) == end(to):
			// iPXE's is to be the last; or it is not, and then the others go after it.
			_, moved[e.UUID] = is[e.UUID]
		}
	}
	return moved
}

// write makes ours those of to. Each request is one revision in the firewall's history.
func (w *dnsmasqWay) write(ctx context.Context, to dhcp.State) error {
	list, err := decode(to.Raw)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !w.own.has(e.UUID) {
			return fmt.Errorf("the recorded entries are not those of interface %s", w.iface.Name)
		}
	}
	if used := w.inUse(w.seen, list); len(used) > 0 {
		return fmt.Errorf("%w: %s", ErrAPI, used[0].Text)
	}
	for _, s := range w.own.steps(w.seen.of(w.own), list) {
		if err := w.take(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// inUse refuses to delete a tag that somebody else's entry uses: the firewall keeps it.
func (w *dnsmasqWay) inUse(r rows, to []entry) []dhcp.Problem {
	stays := byUUID(to)
	uses := func(uuid, list string) bool {
		return slices.ContainsFunc(text(list).list(), func(id string) bool { return strings.EqualFold(id, uuid) })
	}
	var list []dhcp.Problem
	refuse := func(tag entry, user string) {
		list = append(list, dhcp.Refusal("tag-in-use",
			"pxeagent's tag %s cannot be deleted, as somebody else's entry uses it (%s): change that entry",
			tag.Fields["tag"], user))
	}
	for _, tag := range r.of(w.own) {
		if _, kept := stays[tag.UUID]; kept || tag.Table != tags {
			continue
		}
		for _, e := range slices.Concat(r.options, r.boots) {
			if !w.own.has(e.UUID) && (uses(tag.UUID, e.Fields["tag"]) || uses(tag.UUID, e.Fields["set_tag"])) {
				refuse(tag, e.where())
			}
		}
		for _, l := range w.overview.ranges {
			if uses(tag.UUID, string(l.SetTag)) {
				refuse(tag, "DHCP ranges")
			}
		}
	}
	return list
}

func (w *dnsmasqWay) take(ctx context.Context, s step) error {
	const path = "/api/dnsmasq/settings/"
	if s.del != nil {
		err := w.post(ctx, path+"del"+searches[s.table]+"/"+strings.Join(s.del, ","), struct{}{}, "deleted", "not found")
		if err != nil {
			return fmt.Errorf("deleting pxeagent's entries: %w", err)
		}
		return nil
	}
	// An entry that is set is made where it is missing.
	body := map[table]map[string]string{s.table: s.set.Fields}
	if err := w.post(ctx, path+"set"+searches[s.table]+"/"+s.set.UUID, body, "saved"); err != nil {
		return fmt.Errorf("setting an entry of %s: %w", s.set.where(), err)
	}
	return nil
}
