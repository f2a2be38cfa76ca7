package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"pxeagent/agent/image"
	"pxeagent/cmd/pxeagent/cli"

	"github.com/dustin/go-humanize"
)

// progress shows what a Store does: on a terminal a bar with rate and remaining time, elsewhere a line for each step.
type progress struct {
	steps io.Writer // nil: they are not shown
	bars  io.Writer // a terminal; nil: there is none

	doing string
	bar   *progressbar.ProgressBar
}

// newProgress shows nothing where quiet, as with --json.
func (a *app) newProgress(quiet bool) *progress {
	if quiet {
		return &progress{}
	}
	return &progress{steps: a.stdout, bars: a.bars}
}

func (p *progress) event(e image.Event) {
	if e.Step != "" {
		if p.bar != nil {
			_ = p.bar.Clear()
		}
		p.line(e.Step)
		return
	}
	if e.Doing != p.doing {
		p.doing, p.bar = e.Doing, nil
		if p.bars == nil {
			p.line(e.Doing + totalText(e))
		} else {
			p.bar = newBar(p.bars, e)
		}
	}
	if p.bar != nil {
		if e.Total != p.bar.GetMax64() && e.Total > 0 {
			p.bar.ChangeMax64(e.Total)
		}
		_ = p.bar.Set64(e.Done) // a terminal that went away is no reason to stop
		if e.Done == e.Total {
			_ = p.bar.Finish()
			p.bar = nil
		}
	}
	if e.Done == e.Total {
		p.doing = ""
	}
}

func (p *progress) line(text string) {
	if p.steps != nil {
		fmt.Fprintln(p.steps, cli.Plain(text))
	}
}

func totalText(e image.Event) string {
	if e.Total <= 0 {
		return ""
	}
	return ", " + humanize.IBytes(uint64(e.Total))
}

// newBar is a bar for one long step.
func newBar(w io.Writer, e image.Event) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(e.Total, -1),
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(cli.Plain(e.Doing)),
		progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true),
		progressbar.OptionShowTotalBytes(true), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }),
	)
}
