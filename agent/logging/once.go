package logging

import "sync"

// maxThings bounds what a Once remembers.
const maxThings = 1000

// Once remembers what was logged about things, so that what lasts is logged when it begins and not with every request.
// The zero Once is ready, and may be used from many goroutines.
type Once struct {
	mu     sync.Mutex
	states map[string]string
}

// First reports whether a thing is in another state than when First was asked last. Of more than 1000 things, those
// that came late are always said to be.
func (o *Once) First(thing, state string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	last, known := o.states[thing]
	if known && last == state {
		return false
	}
	if o.states == nil {
		o.states = map[string]string{}
	}
	if known || len(o.states) < maxThings {
		o.states[thing] = state
	}
	return true
}

// Forget makes every state of a thing a first one again.
func (o *Once) Forget(thing string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.states, thing)
}
