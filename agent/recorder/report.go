package recorder

import (
	"context"
	"log/slog"

	"pxeagent/agent/boot"
)

// report writes the line of a boot that ended.
func (b *Recorder) report(e boot.Boot) {
	level := slog.LevelInfo
	if e.Result != boot.Booted && e.Result != boot.LocalDisk {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("result", string(e.Result)), slog.String("id", e.ID), slog.String("client", e.Addr.String()),
	}
	for _, a := range []struct{ key, value string }{
		{"mac", e.MAC}, {"host", e.Host}, {"profile", e.Profile}, {"arch", e.Arch}, {"firmware", string(e.Firmware)},
		{"item", e.Item}, {"at", string(e.At)},
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
