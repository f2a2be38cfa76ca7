// Package guard keeps a panic to the request, transfer, probe or check in which it happens. Each is logged with its
// stack once a place in the program, and counted each time.
package guard

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Part is a part of the program that is guarded: the value of a metric's label.
type Part string

const (
	TFTP     Part = "tftp"     // a request, or its transfer
	HTTP     Part = "http"     // a request
	Control  Part = "control"  // a command's request
	Probe    Part = "probe"    // a probe of one network
	Check    Part = "check"    // a check of one network
	Recorder Part = "recorder" // a request that is made part of a boot
	Store    Part = "store"    // a boot that is written to disk
	Webhook  Part = "webhook"  // a boot that is posted
	Images   Part = "images"   // an image that is synced, or the list of them
)

// Parts are all of them.
func Parts() []Part {
	return []Part{TFTP, HTTP, Control, Probe, Check, Recorder, Store, Webhook, Images}
}

// Guard stops panics. A nil Guard stops none.
type Guard struct {
	panics *prometheus.CounterVec
	log    *slog.Logger

	mu     sync.Mutex
	logged map[string]bool // by place, of which the program has so many
}

// New makes a guard that logs to log.
func New(log *slog.Logger) *Guard {
	g := &Guard{
		panics: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "pxeagent", Name: "panics_total",
			Help: "Panics that ended one request, transfer, probe or check and nothing else, by part.",
		}, []string{"part"}),
		log: log, logged: map[string]bool{},
	}
	for _, p := range Parts() {
		g.panics.WithLabelValues(string(p)) // there from the start, so that the first one is seen
	}
	return g
}

// Describe implements prometheus.Collector.
func (g *Guard) Describe(ch chan<- *prometheus.Desc) { g.panics.Describe(ch) }

// Collect implements prometheus.Collector.
func (g *Guard) Collect(ch chan<- prometheus.Metric) { g.panics.Collect(ch) }

// Panic is the error of what ended with a panic.
type Panic struct {
	Part  Part
	Value any
}

func (p *Panic) Error() string { return fmt.Sprintf("panic in %s: %v", p.Part, p.Value) }

// Do calls f, and returns its error or a *Panic. It does not see panics of goroutines that f starts.
func (g *Guard) Do(part Part, f func() error) (err error) {
	if g == nil {
		return f()
	}
	defer func() {
		if p := recover(); p != nil {
			g.Caught(part, p)
			err = &Panic{part, p}
		}
	}()
	return f()
}

// Caught logs and counts a panic. It must be called in the deferred function that recovered it.
func (g *Guard) Caught(part Part, value any) {
	if g == nil {
		return
	}
	g.panics.WithLabelValues(string(part)).Inc()
	at := place()
	g.mu.Lock()
	known := g.logged[at]
	g.logged[at] = true
	g.mu.Unlock()
	if !known {
		g.log.Error("panic", "part", part, "at", at, "err", fmt.Sprint(value), "stack", string(debug.Stack()))
	}
}

// place is where the newest panic on this goroutine's stack began, as file and line.
func place() string {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panicked := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}

// Handler guards each request to h. The connection of one that panics is cut: half an answer must not look like a whole
// one.
func (g *Guard) Handler(part Part, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler {
					g.Caught(part, p)
				}
				panic(http.ErrAbortHandler) // which net/http does not log
			}
		}()
		h.ServeHTTP(w, r)
	})
}
