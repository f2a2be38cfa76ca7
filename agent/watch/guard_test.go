package watch

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/guard"
)

// A panic ends one check, and the next is made when it is due or wanted.
func TestWatcherGoesOnAfterAPanic(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	n := Network{Interface: "admin", NoProbe: true, Want: wanted(), Every: time.Hour}
	n.Want.NextServer = n.Want.NextServer.Prev() // nothing is there
	checks := make(chan bool, 100)
	w := New(Config{Networks: []Network{n}, Metrics: prometheus.NewRegistry(), Guard: guard.New(log), Log: log,
		Event: func(Event) {}})
	w.Changed = func() {
		checks <- true
		panic("a panic of the page")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for range 3 {
		select {
		case <-checks:
		case <-time.After(10 * time.Second):
			t.Fatal("no check was made")
		}
		w.Check()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s := w.States(); s[0].Checking {
		t.Errorf("a check is said to be under way: %+v", s[0])
	}
}
