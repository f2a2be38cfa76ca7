package machine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/catalog"
	"pxeagent/agent/version"
)

// pick is the item that a profile asks for.
type pick struct {
	item catalog.Item
	ok   bool
	why  []string
}

// pick finds the profile's item. canary: the host boots later versions first; canaries: there is such a host for this
// profile; result is how an item did on canaries.
func (p *Profile) pick(
	items []catalog.Item,
	canary, canaries bool,
	result func(item string) CanaryResult,
	now time.Time,
) pick {
	var all []catalog.Item
	for _, i := range items {
		if i.Key == p.Image {
			return pick{i, true, nil}
		}
		if slices.Contains(i.Names, p.Image) {
			all = append(all, i)
		}
	}
	no := func(format string, args ...any) pick { return pick{why: []string{fmt.Sprintf(format, args...)}} }
	if len(all) == 0 {
		return no("%s is not here", p.Image)
	}
	slices.SortStableFunc(all, func(a, b catalog.Item) int { return version.Compare(b.Version, a.Version) })
	if !p.latest() {
		for _, i := range all {
			if i.Version == p.Version {
				return pick{i, true, []string{"version " + p.Version + ", as the profile says"}}
			}
		}
		return no("version %s of %s is not here; there are %s", p.Version, p.Image, versions(all))
	}
	newest := all[0]
	yes := func(i catalog.Item, format string, args ...any) pick {
		return pick{i, true, []string{fmt.Sprintf(format, args...)}}
	}
	switch {
	case len(all) == 1:
		return yes(newest, "version %s, the only one that is here", newest.Version)
	case p.Canary < 0:
		return yes(newest, "version %s, the newest; canary is off", newest.Version)
	case canary:
		return yes(newest, "version %s, the newest, since this host is a canary", newest.Version)
	case !canaries:
		return yes(newest,
			"version %s, the newest; no host of this profile has the label %s: \"true\", so none boots it first",
			newest.Version, CanaryLabel)
	}
	// A canary that could not come up with the newest says nothing of older ones.
	for n, i := range all {
		is := result(i.Key)
		how := "that a canary has booted"
		if !is.Good.IsZero() {
			how = "that is good, by a person's word"
		}
		switch {
		case !is.proven(p.Canary, now):
			continue
		case n == 0:
			return yes(i, "version %s, the newest, and one %s", i.Version, how)
		}
		return yes(i, "version %s, the newest %s; %s", i.Version, how, waits(newest, result(newest.Key), p.Canary, now))
	}
	oldest := all[len(all)-1]
	return yes(oldest, "version %s, the oldest, because no canary has booted a later one; %s", oldest.Version,
		waits(newest, result(newest.Key), p.Canary, now))
}

// waits says what keeps the newest from the other hosts.
func waits(newest catalog.Item, is CanaryResult, after time.Duration, now time.Time) string {
	switch {
	case is.Machine == "":
		return fmt.Sprintf("%s waits for a canary to boot it", newest.Version)
	case is.Booted.IsZero():
		return fmt.Sprintf("%s waits: canary %s came back after %s with it, and %s are wanted", newest.Version,
			is.Machine, is.Stood.Round(time.Second), after)
	}
	return fmt.Sprintf("%s waits until %s: canary %s booted it at %s and has to stay up for %s", newest.Version,
		is.Booted.Add(after).UTC().Format(time.RFC3339), is.Machine, is.Booted.UTC().Format(time.RFC3339), after)
}

func versions(all []catalog.Item) string {
	var texts []string
	for _, i := range all {
		texts = append(texts, i.Version)
	}
	return strings.Join(texts, ", ")
}
