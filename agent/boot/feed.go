package boot

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// feedBytes bounds what a Feed keeps of boots that ended, in bytes, roughly: hostile machines may ask for 64 long names
// in each boot.
const feedBytes = 64 << 20

// leftBoots is how many boots with Into are remembered.
const leftBoots = 64

// Filter says which boots are wanted. The zero Filter wants all.
type Filter struct {
	MAC      string // "52:54:00:12:34:56"; "": any
	Result   Result // UnderWay: any
	UnderWay bool   // only those that have not ended
	Limit    int    // the newest so many; 0: all
}

// Wants reports whether the filter wants a boot. Limit does not count.
func (f Filter) Wants(b Boot) bool {
	return (f.MAC == "" || f.MAC == b.MAC) && (f.Result == UnderWay || f.Result == b.Result) &&
		(!f.UnderWay || b.Result == UnderWay)
}

// Feed has the boots that are under way and the last ones that ended, and tells whoever subscribes of each change. The
// boots that it takes and gives are not to be changed. It may be used from many goroutines.
type Feed struct {
	keep int

	mu     sync.Mutex
	closed bool
	order  []string // IDs, the oldest first
	boots  map[string]Boot
	bytes  int
	// Boots with Into, until all have been told.
	left      map[string]Boot
	leftOrder []string
	subs      map[*subscriber]struct{}
}

// NewFeed makes a Feed that keeps so many boots.
func NewFeed(keep int) *Feed {
	return &Feed{
		keep:  max(keep, 1),
		boots: map[string]Boot{},
		left:  map[string]Boot{},
		subs:  map[*subscriber]struct{}{},
	}
}

// Set takes a boot as it is now, in place of what was known of it. What is more than the Feed keeps goes, the oldest
// first; a new one that is older than all of them is not taken.
func (f *Feed) Set(b Boot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.Into != "" {
		f.leave(b)
		return
	}
	old, known := f.boots[b.ID]
	if !known {
		at, _ := slices.BinarySearch(f.order, b.ID)
		f.order = slices.Insert(f.order, at, b.ID)
	}
	f.boots[b.ID] = b
	f.bytes += size(b)
	if known {
		f.bytes -= size(old)
	}
	for len(f.order) > f.keep || f.bytes > feedBytes && len(f.order) > 1 {
		f.drop(0)
	}
	if _, kept := f.boots[b.ID]; !kept {
		return
	}
	for s := range f.subs {
		s.changed(b.ID)
	}
}

// leave drops a boot that turned out to be a part of another, and has all be told so.
func (f *Feed) leave(b Boot) {
	if at, known := slices.BinarySearch(f.order, b.ID); known {
		f.drop(at)
	}
	if len(f.left) == leftBoots {
		delete(f.left, f.leftOrder[0])
		f.leftOrder = f.leftOrder[1:]
	}
	f.left[b.ID], f.leftOrder = b, append(f.leftOrder, b.ID)
	for s := range f.subs {
		s.changed(b.ID)
	}
}

// Forget drops boots that ended before a time.
func (f *Feed) Forget(before time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := 0; i < len(f.order); {
		if b := f.boots[f.order[i]]; b.Result != UnderWay && b.Ended.Before(before) {
			f.drop(i)
			continue
		}
		i++
	}
}

func (f *Feed) drop(i int) {
	f.bytes -= size(f.boots[f.order[i]])
	delete(f.boots, f.order[i])
	f.order = slices.Delete(f.order, i, i+1)
}

// size is roughly what a boot takes in memory.
func size(b Boot) int {
	n := 1024 + 96*len(b.Stages)
	for _, f := range b.Files {
		n += 160 + len(f.Name)
	}
	return n
}

// Boots are those that the filter wants, the newest first.
func (f *Feed) Boots(want Filter) []Boot {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []Boot{}
	for _, id := range slices.Backward(f.order) {
		if want.Limit > 0 && len(found) == want.Limit {
			break
		}
		if b := f.boots[id]; want.Wants(b) {
			found = append(found, b)
		}
	}
	return found
}

// Boot is the one with this ID, or the only one whose ID ends so: people shorten them.
func (f *Feed) Boot(id string) (Boot, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.boots[id]; ok || len(id) < 4 {
		return b, ok
	}
	var found Boot
	n := 0
	for known, b := range f.boots {
		if strings.HasSuffix(known, id) {
			found, n = b, n+1
		}
	}
	if n != 1 {
		return Boot{}, false
	}
	return found, true
}

// Subscribe gives each boot that changes from now on, whole. A slow reader loses states between, never a boot's last,
// unless the boot itself is no longer kept. The channel is closed by cancel, which must be called, or with the Feed.
func (f *Feed) Subscribe() (events <-chan Boot, cancel func()) {
	s := &subscriber{
		feed:    f,
		out:     make(chan Boot),
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		pending: map[string]bool{},
	}
	ended := make(chan struct{})
	f.mu.Lock()
	if f.closed {
		close(s.quit)
	} else {
		f.subs[s] = struct{}{}
	}
	f.mu.Unlock()
	go func() { defer close(ended); s.pass() }()
	return s.out, func() {
		f.mu.Lock()
		if _, ok := f.subs[s]; ok {
			delete(f.subs, s)
			close(s.quit)
		}
		f.mu.Unlock()
		<-ended
	}
}

// Close ends all subscriptions, and those to come.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for s := range f.subs {
		close(s.quit)
	}
	clear(f.subs)
}

// subscriber remembers which boots it has still to tell of, not how they were: so its memory is bounded by the Feed's.
type subscriber struct {
	feed *Feed
	out  chan Boot
	wake chan struct{} // holds one
	quit chan struct{}

	// Under the Feed's lock.
	order   []string
	pending map[string]bool
}

// changed is called with the Feed's lock held.
func (s *subscriber) changed(id string) {
	if s.pending[id] {
		return
	}
	if len(s.order) > 2*s.feed.keep {
		s.order = slices.DeleteFunc(s.order, func(id string) bool {
			_, kept := s.feed.boots[id]
			if !kept {
				delete(s.pending, id)
			}
			return !kept
		})
	}
	s.pending[id] = true
	s.order = append(s.order, id)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) pass() {
	defer close(s.out)
	for {
		b, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-s.quit:
				return
			}
		}
		select {
		case s.out <- b:
		case <-s.quit:
			return
		}
	}
}

// next is a boot that changed, as it is now.
func (s *subscriber) next() (Boot, bool) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	for len(s.order) > 0 {
		id := s.order[0]
		s.order = s.order[1:]
		delete(s.pending, id)
		if b, ok := s.feed.boots[id]; ok {
			return b, true
		}
		if b, ok := s.feed.left[id]; ok {
			return b, true
		}
	}
	return Boot{}, false
}
