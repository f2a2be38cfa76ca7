package tftp

// Load is how a Server copes with more requests than it may answer. The counts are since it was made.
type Load struct {
	Waiting int // requests that wait for their turn
	// Dropped are requests that got no answer: they waited in vain, an ERROR to them was withheld, their address is
	// given nothing for now, or the system dropped them since they were not read fast enough. The system says so on
	// Linux only.
	Dropped uint64
	// Unreported are requests that the Observer did not hear of: more than it is told of a second, from addresses that
	// did not answer.
	Unreported uint64
}

// Load is what it is now.
func (s *Server) Load() Load {
	return Load{
		Waiting: int(s.table.waits.Load()), Unreported: s.unreported.Load(),
		Dropped: s.table.dropped.Load() + s.ignored.Load() + s.unread.count(),
	}
}
