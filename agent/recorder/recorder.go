// Package recorder makes boots of the requests of machines: it follows and keeps them, raises the alarm where a machine
// loops, and reports them to the log, the metrics, a webhook and subscribers.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
	"pxeagent/agent/store"
)

const (
	defaultKeep = 1000
	// bootBatch is how many requests are looked at before changes are published.
	bootBatch = 256
	// bootPause is how long more requests are awaited when all are looked at. Under load that makes few wake-ups of
	// many, and changes of a boot that follow each other are published once.
	bootPause = 2 * time.Millisecond
	// bootBeat is how often silent machines are looked for.
	bootBeat = time.Second
	// menuForEver is how long a menu without a timeout is taken to wait for a person.
	menuForEver = time.Hour
)

// requestEvent is a request that began or ended.
type requestEvent struct {
	began boot.Ask
	ended *boot.Transfer // nil: it began
}

// ask is what was asked for.
func (e *requestEvent) ask() *boot.Ask {
	if e.ended != nil {
		return &e.ended.Ask
	}
	return &e.began
}

// Recorder makes boots of requests, keeps them, and tells who wants to know. It is the servers' boot.Observer. All but
// that and the feed is of the goroutine that runs it.
type Recorder struct {
	queue   *queue
	feed    *boot.Feed
	tracker *boot.Tracker
	alarm   *loopAlarm
	store   *store.Store // nil: there is none
	hook    *webhook     // nil: there is none
	control net.Listener // where commands ask; nil: nowhere
	menu    atomic.Int64 // how long it waits for a person, in nanoseconds
	metrics *metrics
	guard   *guard.Guard
	event   func(Event)
	own     func(*boot.Ask) bool // a request that did not come from a machine
	maxAge  time.Duration
	log     *slog.Logger
	budget  budget // of log; nil: it has none
}

// New opens the store, if there is a folder for it. That another daemon has it is an error; else boots are in memory
// only, and the log says so.
func New(c Config) (*Recorder, error) {
	if c.Keep <= 0 {
		c.Keep = defaultKeep
	}
	if c.Own == nil {
		c.Own = func(*boot.Ask) bool { return false }
	}
	b := &Recorder{
		queue: newQueue(), feed: boot.NewFeed(c.Keep),
		alarm:   &loopAlarm{broken: c.LoopsBroken, except: c.Except},
		metrics: newMetrics(c.Metrics, c.Native), guard: c.Guard, event: c.Event, own: c.Own, maxAge: c.MaxAge, log: c.Log,
	}
	if lines, ok := c.Log.Handler().(budget); ok {
		b.budget, b.metrics.cause = lines, lines.Cause
	}
	b.SetMenuTimeout(c.MenuTimeout)
	b.tracker = boot.NewTracker(boot.TrackerConfig{
		Stall: c.Stall, MenuWait: func() time.Duration { return time.Duration(b.menu.Load()) },
		Neighbour: c.Neighbour, Wants: c.Wants, Name: c.Name,
	})
	if c.Webhook.URL != nil {
		b.hook = newWebhook(c.Webhook, b.metrics.deliveries, c.Guard, c.Log)
	}
	if c.State == "" {
		return b, nil
	}
	st, kept, err := store.Open(c.State, store.Config{
		Keep: c.Keep, MaxAge: c.MaxAge, Log: c.Log, Guard: c.Guard, Failed: b.metrics.storeErrors.Inc,
	})
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("state_dir: %w", err)
	case err != nil:
		b.metrics.storeErrors.Inc()
		c.Log.Warn("boots are kept in memory only, until the agent stops", "err", err,
			"hint", fmt.Sprintf("user %d has to be able to write state_dir, %s", os.Getuid(), c.State))
		return b, nil
	}
	b.store = st
	b.metrics.stored = st.Stored
	for _, k := range kept {
		b.feed.Set(k)
	}
	b.tracker.Resume(kept)
	b.metrics.underWay.Set(float64(b.tracker.UnderWay()))
	if b.control, err = listenControl(c.State); err != nil {
		c.Log.Warn("commands cannot ask this agent", "err", err)
	}
	return b, nil
}

// Feed has the boots, those under way included.
func (b *Recorder) Feed() *boot.Feed { return b.feed }

// tell never waits.
func (b *Recorder) tell(t requestEvent) {
	if !b.queue.put(&t) {
		b.metrics.droppedEvents.Inc()
	}
}

// Start has boots followed until stop is called, after the last request has ended. Whoever follows the feed is left
// alone from then on where ctx ends: they would keep the agent from stopping.
func (b *Recorder) Start(ctx context.Context) (stop func() error) {
	context.AfterFunc(ctx, b.feed.Close)
	follow, followed := context.WithCancel(context.WithoutCancel(ctx))
	pass, passed := context.WithCancel(context.WithoutCancel(ctx))
	var first, then errgroup.Group
	first.Go(func() error { return b.run(follow) })
	if b.store != nil {
		then.Go(func() error { return b.store.Run(pass) })
	}
	if b.hook != nil {
		then.Go(func() error { return b.hook.run(pass) })
	}
	return func() error {
		followed()
		err := first.Wait()
		passed()
		err = errors.Join(err, then.Wait())
		if b.store != nil {
			err = errors.Join(err, b.store.Close())
		}
		return err
	}
}

// run follows boots until ctx ends, and then what is waiting.
func (b *Recorder) run(ctx context.Context) error {
	beat := time.NewTicker(bootBeat)
	defer beat.Stop()
	var events []requestEvent
	for {
		select {
		case <-b.queue.wake:
			events = b.queue.take(events)
			b.look(events)
			pause(ctx, bootPause)
		case now := <-beat.C:
			b.guarded(func() {
				b.tracker.Tick(now)
				if b.maxAge > 0 {
					b.feed.Forget(now.Add(-b.maxAge))
				}
			})
			b.guarded(b.publish)
		case <-ctx.Done():
			b.look(b.queue.take(events))
			return nil
		}
	}
}

// pause waits until the time is over or ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// guarded calls f, and keeps a panic in it from ending more than that. The guard logs it.
func (b *Recorder) guarded(f func()) {
	_ = b.guard.Do(guard.Recorder, func() error { f(); return nil })
}

// look looks at requests, and publishes what came of them every so often.
func (b *Recorder) look(events []requestEvent) {
	for batch := range slices.Chunk(events, bootBatch) {
		now, seen := time.Now(), 0
		for seen < len(batch) { // once, unless one panics
			b.guarded(func() {
				for seen < len(batch) {
					seen++
					b.see(&batch[seen-1], now)
				}
			})
		}
		b.guarded(b.publish)
	}
}

func (b *Recorder) see(t *requestEvent, now time.Time) {
	own := b.own(t.ask())
	if t.ended == nil {
		if !own {
			b.tracker.Begin(&t.began, now)
		}
		return
	}
	if own {
		b.tracker.Drop(&t.ended.Ask)
		return
	}
	b.tracker.End(t.ended)
	if l, found := b.alarm.see(t.ended, t.ended.Start.Add(t.ended.Took)); found {
		b.looped(l)
	}
}

// looped tells of a loop.
func (b *Recorder) looped(l boot.Loop) {
	remedy := b.alarm.remedy(l)
	b.metrics.loops.Inc()
	b.alarm.report(b.log, l)
	b.tracker.Looped(l, remedy)
	b.event(Event{Loop: &l, Remedy: remedy})
}

// publish tells all who want to know what became of boots.
func (b *Recorder) publish() {
	changed, ended := b.tracker.Take()
	for _, c := range changed {
		b.feed.Set(c)
		b.metrics.bootSeen(c)
		if b.store != nil {
			b.store.Put(c)
		}
	}
	b.metrics.underWay.Set(float64(b.tracker.UnderWay()))
	for _, e := range ended {
		b.metrics.bootEnded(e)
		b.report(e)
		if b.hook != nil {
			b.hook.send(e)
		}
		b.event(Event{Ended: &e})
	}
}

// SetMenuTimeout takes the menu's timeout; 0: it waits for ever.
func (b *Recorder) SetMenuTimeout(timeout time.Duration) {
	if timeout == 0 {
		timeout = menuForEver
	}
	b.menu.Store(int64(timeout))
}
