package agent

import (
	"fmt"
	"slices"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/web"
)

// maxEvents is how many events the page keeps.
const maxEvents = 100

// note keeps an event for the page.
func (p *pageState) note(e web.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteLocked(e)
}

func (p *pageState) noteLocked(e web.Event) {
	p.lastID++
	e.ID, e.Text = p.lastID, cut(e.Text)
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if len(p.events) == maxEvents {
		p.events = slices.Delete(p.events, 0, 1)
	}
	p.events = append(p.events, e)
	p.change()
}

// looped notes a machine in a chainload loop.
func (p *pageState) looped(b boot.Loop, remedy string) {
	p.note(
		web.Event{
			Kind: web.Looped,
			Bad:  true,
			Text: fmt.Sprintf("%s is in a chainload loop with %q: %s", b.Client, b.File, remedy),
		},
	)
}

// booted notes the end of a boot.
func (p *pageState) booted(b boot.Boot) {
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
		e.Text = who + " booted from its local disk"
	case boot.Stalled:
		e.Bad, e.Text = true, fmt.Sprintf("%s stalled: no request after stage %s", who, b.At)
	case boot.Broken:
		e.Bad, e.Text = true, fmt.Sprintf("%s failed: %q not found", who, b.File)
	case boot.Looped:
		e.Bad, e.Text = true, fmt.Sprintf("%s looped: fetched %q repeatedly", who, b.File)
	default:
		return
	}
	p.note(e)
}

// reloaded notes a change of the configuration, or why there is none.
func (p *pageState) reloaded(settings []web.Setting, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.config = web.Reload{At: time.Now(), Error: cut(err.Error())}
		p.noteLocked(
			web.Event{
				Kind: web.Changed,
				Bad:  true,
				Text: "The configuration has an error; the last valid one stays in effect: " + err.Error(),
			},
		)
		return
	}
	p.config = web.Reload{OK: true, At: time.Now()}
	if settings != nil {
		p.settings = settings
	}
	p.noteLocked(web.Event{Kind: web.Changed, Text: "The configuration was reloaded"})
}
