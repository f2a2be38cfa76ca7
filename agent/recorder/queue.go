package recorder

import "sync"

const (
	// queueMost bounds what waits to be looked at and may be forged, about 3 MB: what finds no room is counted as
	// dropped. A request that a machine must have sent is always kept: it took that machine a round trip at least.
	queueMost = 4096
	// queueKept is how large an empty queue may stay.
	queueKept = 2 * queueMost
)

// queue holds requests that wait to be looked at.
type queue struct {
	wake chan struct{} // something came since the last take

	mu     sync.Mutex
	events []requestEvent
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put never waits. It reports whether there was room.
func (q *queue) put(e *requestEvent) bool {
	q.mu.Lock()
	if len(q.events) >= queueMost && !e.ask().Proven() {
		q.mu.Unlock()
		return false
	}
	q.events = append(q.events, *e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return true
}

// take takes all that wait, in the order in which they came. used is a list that is not needed any more.
func (q *queue) take(used []requestEvent) []requestEvent {
	clear(used)
	if cap(used) > queueKept {
		used = nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.events
	q.events = used[:0]
	return all
}
