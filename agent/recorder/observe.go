package recorder

import (
	"context"
	"log/slog"

	"pxeagent/agent/boot"
)

// served is the message of the line about a request.
const served = "served"

// budget is a log that says beforehand that a line would be left out, see logging.Handler.
type budget interface {
	Cause(level slog.Level, message string, by ...string) string
	Spent(cause string) bool
}

// Begin counts a request as under way. It never waits.
func (b *Recorder) Begin(a *boot.Ask) {
	b.metrics.begin(a)
	if a.Class != boot.Tool { // whose requests are not part of a boot
		b.tell(requestEvent{began: *a})
	}
}

// End counts a request that ended, writes a line about it, and has it made part of a boot. Lines are short of nothing
// that a person needs to find the machine that does not come up. It never waits.
func (b *Recorder) End(t *boot.Transfer) {
	if t.Outcome == boot.NotFound && t.Class != boot.IPXE && boot.Optional(t.Name) {
		known := *t
		known.Outcome, known.Err = boot.NotNeeded, nil
		t = &known
	}
	like := b.metrics.end(t, b.own(&t.Ask))
	if t.Class != boot.Tool {
		b.tell(requestEvent{ended: t})
	}
	level := levelOf(t.Outcome)
	if t.Outcome == boot.OK && (t.Artifact == boot.Internal || t.Further) {
		level = slog.LevelDebug // Prometheus asks every few seconds; a disk image is read in thousands of pieces
	}
	ctx := context.Background()
	if !b.log.Enabled(ctx, level) || level > slog.LevelDebug && b.budget != nil && b.budget.Spent(like.cause) {
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
	if t.LoopBroken {
		attrs = append(attrs, slog.Bool("loop_broken", true))
	}
	if len(t.Quirks) > 0 {
		attrs = append(attrs, slog.Any("quirks", t.Quirks))
	}
	if t.Err != nil {
		attrs = append(attrs, slog.Any("err", t.Err))
	}
	b.log.LogAttrs(ctx, level, served, attrs...)
}

// levelOf is the level of the line about a request that ended so.
func levelOf(o boot.Outcome) slog.Level {
	switch o {
	case boot.NotFound, boot.Failed, boot.TimedOut, boot.Refused:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
