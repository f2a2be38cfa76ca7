package tftp

import "sync"

// unread counts packets that the system dropped at sockets since they were not read fast enough.
type unread struct {
	mu    sync.Mutex
	last  map[*socket]uint32 // what the system had counted, which is 0 again after 4 billion
	total uint64
}

// watch counts from now on.
func (u *unread) watch(sockets []*socket) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = make(map[*socket]uint32)
	for _, sock := range sockets {
		if n, ok := sock.drops(); ok {
			u.last[sock] = n
		}
	}
}

func (u *unread) count() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	for sock, last := range u.last {
		if n, ok := sock.drops(); ok {
			u.total += uint64(n - last)
			u.last[sock] = n
		}
	}
	return u.total
}
