package tftp

import (
	"sync"
	"testing"
)

// What is put off is done once each, by whoever works next or after flush.
func TestJobsForLater(t *testing.T) {
	w := newWorkers()
	for _, next := range []func(){func() { w.do(func() {}) }, w.flush} {
		var some sync.WaitGroup
		some.Add(3)
		for range 3 {
			w.later(some.Done) // which panics where one is done twice
		}
		next()
		some.Wait()
	}
	w.flush() // nothing
	w.close()
}
