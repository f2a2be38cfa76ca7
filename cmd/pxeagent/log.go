package main

import (
	"io"
	"log/slog"
	"pxeagent/cmd/pxeagent/config"
)

// newLogger writes to w, which is standard error but for tests.
func newLogger(w io.Writer, c config.LogConfig) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
