// Package logging keeps a log small, whatever is sent by machines that nobody knows.
package logging

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// window is how long a budget lasts.
	window = time.Minute
	// warnings is how many lines of level Warn and above one cause may have in a window. Whoever sends something wrong
	// a hundred times says no more than with the first ten.
	warnings = 30
	// notes is the same below Warn. A room of 40 machines that boots is a line for each of its 600 files.
	notes = 600
	// maxCauses bounds how many causes are known apart in a window. Further ones share one budget for each level.
	maxCauses = 256
	// maxField is how many bytes of a message or a value are written.
	maxField = 200
)

// Config is how a Handler tells causes apart, and what it does not cut.
type Config struct {
	// By are the keys of values that make lines of the same level and message different causes, such as "outcome". The
	// values must be few: see maxCauses.
	By []string
	// Long are the keys of values that may have more than 200 bytes, and how many: a stack, say. Line feeds and tabs in
	// them are kept.
	Long map[string]int
}

// Handler is a slog.Handler with a budget of lines for each cause and minute: 30 from level Warn on, 600 below. What
// is left out is counted, and a line of the same level says how many there were of which cause. Fields are cut at 200
// bytes and have no control characters.
//
// It is for what requests cause. What an operator causes (start, reload, a mistake in the configuration) is logged to
// the handler below, without a budget: there may be any number of mistakes, and each is to be read. A line for an
// operator that does come here has its own message, whose budget nobody else uses up.
type Handler struct {
	next slog.Handler
	*budgets
}

// budgets are what a Handler and those that With makes of it have in common.
type budgets struct {
	Config
	out slog.Handler // for counts

	mu     sync.Mutex
	causes map[string]*cause
}

// cause is why lines are written, in the window that lasts.
type cause struct {
	level   slog.Level
	message string
	by      []slog.Attr
	lines   int // that there were, written or not
}

// New makes a Handler that writes to next. Run renews its budgets.
func New(next slog.Handler, c Config) *Handler {
	return &Handler{next, &budgets{Config: c, out: next, causes: map[string]*cause{}}}
}

// Run renews the budgets each minute until ctx ends.
func (h *Handler) Run(ctx context.Context) {
	tick := time.NewTicker(window)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.Flush()
		case <-ctx.Done():
			return
		}
	}
}

// Flush renews the budgets, and writes a line for each cause of which lines were left out.
func (h *Handler) Flush() {
	h.mu.Lock()
	old := h.causes
	h.causes = map[string]*cause{}
	h.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(old)) {
		c := old[key]
		left := c.lines - budget(c.level)
		if left <= 0 {
			continue
		}
		r := slog.NewRecord(time.Now(), c.level, "lines left out", 0)
		r.AddAttrs(slog.String("of", c.message))
		r.AddAttrs(c.by...)
		r.AddAttrs(slog.Int("count", left))
		_ = h.out.Handle(context.Background(), r) // nobody to tell
	}
}

func budget(l slog.Level) int {
	if l >= slog.LevelWarn {
		return warnings
	}
	return notes
}

// Enabled is for slog.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle writes a line, unless the budget of its cause is used up.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if !h.admit(r) {
		return nil
	}
	short := slog.NewRecord(r.Time, r.Level, Cut(r.Message, maxField), r.PC)
	r.Attrs(func(a slog.Attr) bool { short.AddAttrs(h.cut(a)); return true })
	return h.next.Handle(ctx, short)
}

// Cause names the cause of a line for Spent. by are its values for Config.By, in the order in which the line has them.
func (*Handler) Cause(level slog.Level, message string, by ...string) string {
	return strings.Join(append([]string{strconv.Itoa(int(level)), message}, by...), "\x00")
}

// Spent counts a line as left out, and reports true, where its cause has no budget left: the line need not be made.
func (h *Handler) Spent(cause string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.causes[cause]
	if c == nil || c.lines < budget(c.level) {
		return false
	}
	c.lines++
	return true
}

// admit counts a line, and reports whether it is to be written.
func (h *Handler) admit(r slog.Record) bool {
	var room [256]byte
	key := strconv.AppendInt(room[:0], int64(r.Level), 10)
	common := len(key)
	key = append(append(key, 0), Cut(r.Message, maxField)...)
	r.Attrs(func(a slog.Attr) bool {
		if slices.Contains(h.By, a.Key) {
			key = append(append(key, 0), h.cut(a).Value.String()...)
		}
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.causes[string(key)]
	if c == nil && len(h.causes) >= maxCauses {
		key = key[:common]
		if c = h.causes[string(key)]; c == nil {
			c = &cause{level: r.Level, message: "other causes"}
			h.causes[string(key)] = c
		}
	}
	if c == nil {
		c = &cause{level: r.Level, message: Cut(r.Message, maxField)}
		r.Attrs(func(a slog.Attr) bool {
			if slices.Contains(h.By, a.Key) {
				c.by = append(c.by, h.cut(a))
			}
			return true
		})
		h.causes[string(key)] = c
	}
	c.lines++
	return c.lines <= budget(c.level)
}

// WithAttrs is for slog. These attributes make no causes.
func (h *Handler) WithAttrs(as []slog.Attr) slog.Handler {
	short := make([]slog.Attr, len(as))
	for i, a := range as {
		short[i] = h.cut(a)
	}
	return &Handler{h.next.WithAttrs(short), h.budgets}
}

// WithGroup is for slog.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.budgets}
}
