package recorder

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

func TestRecorderGoesOnAfterAPanic(t *testing.T) {
	var out bytes.Buffer
	reg := prometheus.NewRegistry()
	g := guard.New(slog.New(slog.NewTextHandler(&out, nil)))
	reg.MustRegister(g)
	b, err := New(
		Config{Metrics: reg, Guard: g, Log: slog.New(slog.DiscardHandler), Event: func(Event) {}, Own: func(a *boot.Ask) bool {
			if a.Name == "/panic" {
				panic("a panic of the recorder")
			}
			return false
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		tr := transferOf(i)
		if i < 3 {
			tr.Name = "/panic"
		}
		b.tell(requestEvent{ended: &tr})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Start(ctx)(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.feed.Boots(boot.Filter{})); n != 1 {
		t.Errorf("%d boots are followed, want 1", n)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "pxeagent_panics_total" && m.GetLabel()[0].GetValue() == string(guard.Recorder) &&
				m.GetCounter().GetValue() != 3 {
				t.Errorf("%v panics are counted, want 3", m.GetCounter().GetValue())
			}
		}
	}
	// The stack is logged once.
	if text := out.String(); strings.Count(text, "stack=") != 1 || !strings.Contains(text, "guard_test.go") ||
		!strings.Contains(text, "part=recorder") || !strings.Contains(text, "Recorder).run") {
		t.Errorf("logged:\n%s", text)
	}
}
