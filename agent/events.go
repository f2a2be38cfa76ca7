package agent

import (
	"fmt"
	"slices"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/web"
)

// maxEvents is how many events the page is told.
const maxEvents = 100

// note keeps an event for the page.
func (l *live) note(e web.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteLocked(e)
}

func (l *live) noteLocked(e web.Event) {
	l.lastID++
	e.ID, e.Text = l.lastID, cut(e.Text)
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if len(l.events) == maxEvents {
		l.events = slices.Delete(l.events, 0, 1)
	}
	l.events = append(l.events, e)
	l.change()
}

// looped notes a machine that loads its NBP again and again.
func (l *live) looped(b boot.Loop, remedy string) {
	l.note(web.Event{Kind: web.Looped, Bad: true, Text: fmt.Sprintf("%s fetches %q again and again: %s", b.Client, b.File, remedy)})
}

// booted notes the end of a boot.
func (l *live) booted(b boot.Boot) {
	who := b.Host
	for _, name := range []string{b.MAC, b.Addr.String()} {
		if who == "" {
			who = name
		}
	}
	e := web.Event{Kind: web.Finished, At: b.Ended, Boot: b.ID}
	took := b.Ended.Sub(b.Started).Round(100 * time.Millisecond)
	what := ""
	if b.Item != "" {
		what = " " + b.Item
	}
	switch b.Result {
	case boot.Booted:
		e.Text = fmt.Sprintf("%s booted%s in %s", who, what, took)
	case boot.LocalDisk:
		e.Text = who + " went on to its own disk"
	case boot.Stalled:
		e.Bad, e.Text = true, fmt.Sprintf("%s stalled: it asked for nothing after stage %s", who, b.At)
	case boot.Broken:
		e.Bad, e.Text = true, fmt.Sprintf("%s failed: no %q", who, b.File)
	case boot.Looped:
		e.Bad, e.Text = true, fmt.Sprintf("%s looped: %q again and again", who, b.File)
	default:
		return
	}
	l.note(e)
}

// reloaded notes a change of the configuration, or why there is none.
func (l *live) reloaded(settings []web.Setting, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.config = web.Reload{At: time.Now(), Error: cut(err.Error())}
		l.noteLocked(web.Event{Kind: web.Changed, Bad: true, Text: "The configuration has a mistake, and the last good one is kept: " + err.Error()})
		return
	}
	l.config = web.Reload{OK: true, At: time.Now()}
	if settings != nil {
		l.settings = settings
	}
	l.noteLocked(web.Event{Kind: web.Changed, Text: "The configuration was changed"})
}
