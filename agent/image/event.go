package image

// Event is a step that was done, or how far a long one is.
type Event struct {
	Step  string // a line for people; "" in the course of a step
	Doing string // what is under way: "downloading platform.tgz"
	// Done and Total are bytes; Total is -1 where it is not known. Done == Total is the end.
	Done, Total int64
}

// reporter passes events to a callback. The zero reporter drops them.
type reporter func(Event)

func (r reporter) step(text string) {
	if r != nil {
		r(Event{Step: text})
	}
}

// meter counts the bytes of one long step.
type meter struct {
	report reporter
	doing  string
	done   int64
	total  int64
	ended  bool
}

func (r reporter) meter(doing string, done, total int64) *meter {
	m := &meter{report: r, doing: doing, done: done, total: total}
	m.add(0)
	return m
}

func (m *meter) add(n int64) {
	m.done += n
	m.ended = m.done == m.total
	if m.report != nil {
		m.report(Event{Doing: m.doing, Done: m.done, Total: m.total})
	}
}

// end says that the step is over, whatever its size was thought to be.
func (m *meter) end() {
	if !m.ended {
		m.total = m.done
		m.add(0)
	}
}

// Write counts what goes by.
func (m *meter) Write(p []byte) (int, error) {
	m.add(int64(len(p)))
	return len(p), nil
}
