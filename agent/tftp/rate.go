package tftp

import (
	"sync"
	"time"
)

// rate bounds what is sent, or done, in a second. It is used by many goroutines at once.
type rate struct {
	each  time.Duration // for one
	burst time.Duration // what may be made up for of the time before

	mu   sync.Mutex
	next time.Time // when the next is due
}

// perSecond is a rate of n in a second, of which burst may come at once after a pause.
func perSecond(n, burst int) rate {
	each := time.Second / time.Duration(n)
	return rate{each: each, burst: each * time.Duration(burst)}
}

// reserve takes n, and returns how long to wait until they are due.
func (r *rate) reserve(n int, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.from(now)
	r.next = at.Add(time.Duration(n) * r.each)
	return max(0, at.Sub(now))
}

// allow takes n if they are due now.
func (r *rate) allow(n int, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.from(now)
	if at.After(now) {
		return false
	}
	r.next = at.Add(time.Duration(n) * r.each)
	return true
}

func (r *rate) from(now time.Time) time.Time {
	if earliest := now.Add(-r.burst); r.next.Before(earliest) {
		return earliest
	}
	return r.next
}

// marks remember what was marked in the last while, but at most so many: then the older half is forgotten.
type marks[K comparable] struct {
	keep time.Duration
	most int

	mu           sync.Mutex
	newer, older map[K]int64 // nanoseconds of Unix time
}

func (m *marks[K]) add(k K, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.newer) >= m.most/2 {
		m.older, m.newer = m.newer, nil
	}
	if m.newer == nil {
		m.newer = make(map[K]int64)
	}
	m.newer[k] = now.UnixNano()
}

func (m *marks[K]) has(k K, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.newer[k]
	if !ok {
		at, ok = m.older[k]
	}
	return ok && now.UnixNano()-at < int64(m.keep)
}
