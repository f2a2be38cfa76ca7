package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pxeagent/agent/boot"
	"pxeagent/agent/store"
)

// Boots is how machines' boots are followed and kept.
type Boots struct {
	Keep    int           // how many are kept; 0: 1000
	MaxAge  time.Duration // how long, since their end; 0: for ever
	Stall   time.Duration // how long a machine may ask for nothing; 0: five minutes
	Webhook Webhook
}

const (
	defaultKeep = 1000
	// bootQueue bounds what waits to be looked at, about 2 MB. A transfer never waits for room: what finds none is counted as dropped.
	bootQueue = 4096
	// bootBatch is how many requests are looked at before anyone is told of changes.
	bootBatch = 256
	// bootBeat is how often silent machines are looked for.
	bootBeat = time.Second
	// menuForEver is how long a menu without a timeout is taken to wait for a person.
	menuForEver = time.Hour
)

// told is a request that began or ended. Exactly one is set.
type told struct {
	began *boot.Ask
	ended *boot.Transfer
	at    time.Time // began
}

// boots makes boots of requests, keeps them, and tells who wants to know. All but tell and the feed is of the goroutine that runs it.
type boots struct {
	queue   chan told
	feed    *boot.Feed
	tracker *boot.Tracker
	doctor  *doctor
	store   *store.Store // nil: there is none
	hook    *webhook     // nil: there is none
	control net.Listener // where commands ask; nil: nowhere
	menu    atomic.Int64 // how long it waits for a person, in nanoseconds
	metrics *metrics
	ended   []func(boot.Boot)       // called with each boot that ended
	looped  func(boot.Loop, string) // called with each machine that loops, and the remedy
	own     func(boot.Ask) bool     // a request that is no machine's
	maxAge  time.Duration
	log     *slog.Logger
}

// newBoots opens the store, if there is a folder for it. That another daemon has it is an error; else boots are in memory only, and the log says so.
func newBoots(c Config, m *metrics, t boot.TrackerConfig) (*boots, error) {
	keep := c.Boots.Keep
	if keep <= 0 {
		keep = defaultKeep
	}
	b := &boots{
		queue: make(chan told, bootQueue), feed: boot.NewFeed(keep), doctor: &doctor{chain: c.Chain, except: c.Except},
		metrics: m, looped: func(boot.Loop, string) {}, own: func(boot.Ask) bool { return false }, maxAge: c.Boots.MaxAge, log: c.Log,
	}
	b.setMenu(c.Menu.Timeout)
	t.Stall, t.MenuWait = c.Boots.Stall, func() time.Duration { return time.Duration(b.menu.Load()) }
	b.tracker = boot.NewTracker(t)
	if c.Boots.Webhook.URL != nil {
		b.hook = newWebhook(c.Boots.Webhook, m.deliveries, c.Log)
	}
	if c.State == "" {
		return b, nil
	}
	st, kept, err := store.Open(c.State, store.Config{Keep: keep, MaxAge: c.Boots.MaxAge, Log: c.Log, Failed: m.storeErrors.Inc})
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("state_dir: %w", err)
	case err != nil:
		m.storeErrors.Inc()
		c.Log.Warn("Boots are kept in memory only, until the agent stops", "err", err)
		return b, nil
	}
	b.store = st
	m.stored = st.Stored
	for _, k := range kept {
		b.feed.Set(k)
	}
	b.tracker.Resume(kept)
	m.underWay.Set(float64(b.tracker.UnderWay()))
	if b.control, err = listenControl(c.State); err != nil {
		c.Log.Warn("Commands cannot ask this agent", "err", err)
	}
	return b, nil
}

// tell never waits.
func (b *boots) tell(t told) {
	select {
	case b.queue <- t:
	default:
		b.metrics.droppedEvents.Inc()
	}
}

// start has boots followed until stop is called, after the last request has ended. Whoever follows the feed is left alone from then on
// where ctx ends: they would keep the agent from stopping.
func (b *boots) start(ctx context.Context) (stop func() error) {
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
func (b *boots) run(ctx context.Context) error {
	beat := time.NewTicker(bootBeat)
	defer beat.Stop()
	for {
		select {
		case t := <-b.queue:
			b.take(t)
		case now := <-beat.C:
			b.tracker.Tick(now)
			if b.maxAge > 0 {
				b.feed.Forget(now.Add(-b.maxAge))
			}
			b.spread()
		case <-ctx.Done():
			for len(b.queue) > 0 {
				b.take(<-b.queue)
			}
			return nil
		}
	}
}

// take looks at a request, and at those that wait behind it.
func (b *boots) take(t told) {
	for n := 1; ; n++ {
		b.look(t)
		if n == bootBatch {
			break
		}
		select {
		case t = <-b.queue:
			continue
		default:
		}
		break
	}
	b.spread()
}

func (b *boots) look(t told) {
	if t.began != nil {
		if !b.own(*t.began) {
			b.tracker.Begin(*t.began, t.at)
		}
		return
	}
	if b.own(t.ended.Ask) {
		b.tracker.Drop(t.ended.Ask)
		return
	}
	b.tracker.End(*t.ended)
	if l, found := b.doctor.see(*t.ended, t.ended.Start.Add(t.ended.Took)); found {
		remedy := b.doctor.remedy(l)
		b.metrics.loops.Inc()
		b.doctor.report(b.log, l)
		b.tracker.Looped(l, remedy)
		b.looped(l, remedy)
	}
}

// spread tells all who want to know what became of boots.
func (b *boots) spread() {
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
		for _, f := range b.ended {
			f(e)
		}
	}
}

// report writes the line of a boot that ended.
func (b *boots) report(e boot.Boot) {
	level := slog.LevelInfo
	if e.Result != boot.Booted && e.Result != boot.LocalDisk {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("result", string(e.Result)), slog.String("id", e.ID), slog.String("client", e.Addr.String())}
	for _, a := range []struct{ key, value string }{
		{"mac", e.MAC}, {"host", e.Host}, {"profile", e.Profile}, {"arch", e.Arch}, {"firmware", string(e.Firmware)}, {"item", e.Item}, {"at", string(e.At)},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	attrs = append(attrs, slog.Duration("took", e.Ended.Sub(e.Started)))
	var bytes int64
	for _, s := range e.Stages {
		bytes += s.Bytes
		attrs = append(attrs, slog.Duration(string(s.Stage)+"_took", s.End.Sub(s.Start)))
	}
	attrs = append(attrs, slog.Int64("bytes", bytes), slog.Int("files", len(e.Files)+e.More))
	if e.File != "" {
		attrs = append(attrs, slog.String("file", e.File))
	}
	if e.Note != "" {
		attrs = append(attrs, slog.String("note", e.Note))
	}
	b.log.LogAttrs(context.Background(), level, "boot ended", attrs...)
}

// setMenu takes the menu's timeout; 0: it waits for ever.
func (b *boots) setMenu(timeout time.Duration) {
	if timeout == 0 {
		timeout = menuForEver
	}
	b.menu.Store(int64(timeout))
}
