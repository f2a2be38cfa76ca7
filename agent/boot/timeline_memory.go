package boot

import "slices"

// track follows a boot.
func (t *Tracker) track(r *run) {
	t.runs[r] = struct{}{}
	if r.provisional {
		t.provisional++
	} else {
		t.underWay++
	}
}

// room makes place for one more. Machines that were given nothing go first, then boots that ended, then those that were
// silent longest; many at once, so that a flood does not look through all of them each time.
func (t *Tracker) room() {
	oldest := func(n int, which func(*run) bool) {
		var some []*run
		for r := range t.runs {
			if which(r) {
				some = append(some, r)
			}
		}
		slices.SortFunc(some, func(a, b *run) int { return a.boot.Updated.Compare(b.boot.Updated) })
		for _, r := range some[:min(n, len(some))] {
			if r.underWay() && !r.provisional {
				t.finish(r, r.boot.Updated, "too many machines boot at once to follow all of them")
			}
			t.forget(r)
		}
	}
	if t.provisional >= trackedProvisional {
		oldest(trackedProvisional/4, func(r *run) bool { return r.provisional && r.underWay() })
	}
	if len(t.runs) < trackedRuns {
		return
	}
	oldest(trackedRuns/4, func(r *run) bool { return !r.underWay() })
	if len(t.runs) > trackedRuns*7/8 {
		oldest(trackedRuns/8, func(r *run) bool { return true })
	}
}

// forget drops a run. What it knew of addresses and MACs goes where nobody else has taken it.
func (t *Tracker) forget(r *run) {
	if _, ok := t.runs[r]; !ok {
		return
	}
	delete(t.runs, r)
	if r.underWay() {
		t.count(r, -1)
	}
	for _, a := range r.addrs {
		if t.byAddr[a] == r {
			delete(t.byAddr, a)
		}
	}
	for _, m := range r.macs {
		if t.byMAC[m] == r {
			delete(t.byMAC, m)
		}
	}
}

// count adds to those under way.
func (t *Tracker) count(r *run, n int) {
	if r.provisional {
		t.provisional += n
	} else {
		t.underWay += n
	}
}
