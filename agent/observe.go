package agent

import (
	"context"
	"log/slog"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/logging"
)

// newLines bounds the lines that an agent writes: anyone on the network causes some.
func newLines(log *slog.Logger) *logging.Handler {
	return logging.New(log.Handler(), logging.Config{
		By:   []string{"proto", "outcome", "result"},
		Long: map[string]int{"stack": 8 << 10, "remedy": 1 << 10}, // which are ours
	})
}

// observer counts every request, writes a line about its end, and has it made part of a boot. Lines are short of nothing that
// a person needs to find the machine that does not come up.
type observer struct {
	*metrics
	boots *boots
	log   *slog.Logger
}

// Begin counts a request as under way.
func (o observer) Begin(a boot.Ask) {
	o.metrics.Begin(a)
	if a.Class != boot.Tool { // whose requests are no boots
		o.boots.tell(told{began: &a, at: time.Now()})
	}
}

func (o observer) End(t boot.Transfer) {
	o.metrics.End(t)
	if t.Class != boot.Tool {
		o.boots.tell(told{ended: &t})
	}
	level := slog.LevelInfo
	switch {
	case t.Outcome == boot.OK && (t.Artifact == boot.Internal || t.Further):
		level = slog.LevelDebug // Prometheus asks every few seconds; a disk image is read in thousands of pieces
	case t.Outcome == boot.NotFound || t.Outcome == boot.Failed || t.Outcome == boot.TimedOut || t.Outcome == boot.Refused:
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("proto", string(t.Proto)),
		slog.String("client", t.Client.String()),
		slog.String("file", t.Name),
		slog.String("class", string(t.Class)),
		slog.String("artifact", string(t.Artifact)),
		slog.String("outcome", string(t.Outcome)),
		slog.Int64("bytes", t.Bytes),
		slog.Duration("took", t.Took),
	}
	if t.Resent > 0 {
		attrs = append(attrs, slog.Int("resent", t.Resent))
	}
	if t.Broke {
		attrs = append(attrs, slog.Bool("loop_broken", true))
	}
	if len(t.Quirks) > 0 {
		attrs = append(attrs, slog.Any("quirks", t.Quirks))
	}
	if t.Err != nil {
		attrs = append(attrs, slog.Any("err", t.Err))
	}
	o.log.LogAttrs(ctx, level, "served", attrs...)
}
