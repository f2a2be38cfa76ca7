package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"pxeagent/agent"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/config"
)

const (
	reloadEvery = 2 * time.Second
	// reloadSettle is how long a file must stay as it is before it is read: editors write in steps.
	reloadSettle = 300 * time.Millisecond
)

// reloader has the agent follow the configuration while it runs. What cannot change then is named, and kept.
type reloader struct {
	flags *pflag.FlagSet
	read  func(*pflag.FlagSet) (loaded, error)
	agent *agent.Agent
	log   *slog.Logger
	start loaded // as the agent was started
	now   loaded // as it runs: live keys and parts of the last good file, all others as at the start
	menu  menu.Settings
	hup   chan os.Signal

	stamp   string   // of the files when they were read last; "": not by this
	failed  string   // the error that was told last; "": the configuration is good
	pending []string // keys that were said to need a restart
}

// newReloader takes SIGHUP from here on; run gives it back. The first look at the files comes after l was read from
// them, so it reads them once more: what changed in between is not missed.
func (a *app) newReloader(
	flags *pflag.FlagSet, served *agent.Agent, l loaded, menu menu.Settings, log *slog.Logger,
) *reloader {
	r := &reloader{
		flags: flags, read: a.read, agent: served, log: log, start: l, now: l, menu: menu, hup: make(chan os.Signal, 1),
	}
	signal.Notify(r.hup, syscall.SIGHUP)
	return r
}

// live reports whether k may change while the agent runs. All parts may.
func live(k config.Key) bool { return strings.HasPrefix(k.Name, "menu.") }

// run follows the file until ctx ends: every two seconds, and at once with SIGHUP.
func (r *reloader) run(ctx context.Context) error {
	defer signal.Stop(r.hup)
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// What a configuration needs that cannot be used may lie in files that are not looked at yet.
			if r.failed != "" || r.stat() != r.stamp {
				r.reload(ctx, false)
			}
		case <-r.hup:
			r.reload(ctx, true)
		}
	}
}

// files are those that the configuration is read from, or would be if they were there.
func (r *reloader) files() []string {
	named := cmp.Or(config.FlagValue(r.flags, "config"), os.Getenv(config.EnvConfig))
	paths := config.Paths
	switch {
	case r.now.File != "" && named != "":
		paths = []string{r.now.File} // made absolute
	case named != "":
		paths = []string{named}
	}
	return append(slices.Clone(paths), r.now.Config.Menu.RootShadowFile)
}

// stat says in a text which files there are: it changes with them. A file that an editor puts in another's place is
// another file.
func (r *reloader) stat() string {
	var b strings.Builder
	for _, p := range r.files() {
		info, err := os.Stat(p)
		switch {
		case p == "":
		case err != nil:
			fmt.Fprintf(&b, "%s: %v\n", p, errors.Is(err, fs.ErrNotExist))
		default:
			fmt.Fprintf(&b, "%s: %d %d %v %v\n", p, inode(info), info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
	return b.String()
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}

// reload reads the configuration and takes up what is new in it. asked: somebody waits for a word.
func (r *reloader) reload(ctx context.Context, asked bool) {
	stamp := r.stat()
	for range 20 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(reloadSettle):
		}
		if before := stamp; before == r.stat() {
			break
		}
		stamp = r.stat()
	}
	r.stamp = stamp
	files := r.files()
	next, err := r.read(r.flags)
	if err == nil {
		err = r.take(next, asked)
	}
	if err != nil {
		r.tell(err, asked)
	}
	// Where the files to look at are others now they are read once more: what changed in them since load is not missed.
	if !slices.Equal(files, r.files()) {
		r.stamp = ""
	}
}

// take compares with what is in use, and hands on what is new.
func (r *reloader) take(next loaded, asked bool) error {
	menu, err := next.menu()
	if err != nil {
		return err
	}
	inventory, wrong := next.Machines()
	if len(wrong) > 0 {
		return wrong
	}
	changed, pending := r.compare(next)
	if menu.RootShadow != r.menu.RootShadow && !slices.Contains(changed, config.RootShadow.FileKey) {
		changed = append(changed, config.RootShadow.Key)
	}
	if len(pending) > 0 && !slices.Equal(pending, r.pending) {
		r.log.Warn("The configuration was changed in keys that take effect at the next start only", "keys", pending, "file",
			next.File)
	}
	r.pending = pending
	switch {
	case len(changed) > 0:
		r.now, r.menu = r.merge(next), menu
		r.agent.Reconfigure(agent.Changes{Menu: menu, Machines: inventory, Settings: r.now.shown()})
		r.log.Info("The configuration was taken up", "keys", changed, "file", next.File)
	case r.failed != "":
		r.agent.ConfigRestored()
		r.log.Info("The configuration is again the one in use", "file", next.File)
	case asked && len(pending) == 0:
		r.log.Info("The configuration has not changed", "file", next.File)
	}
	r.now.File = next.File
	r.failed = ""
	return nil
}

// tell says what is wrong with the configuration, once as long as it is the same.
func (r *reloader) tell(err error, asked bool) {
	if err.Error() == r.failed && !asked {
		return
	}
	r.failed = err.Error()
	var ms config.Mistakes
	if errors.As(err, &ms) {
		for _, m := range ms {
			r.log.Error("A mistake in the configuration", "err", m.String())
		}
	} else {
		r.log.Error("The configuration cannot be used", "err", err)
	}
	r.log.Error("The last good configuration is kept")
	r.agent.ConfigFailed(err)
}

// compare names the live keys and parts that are not as the agent has them, and the other keys that are not as at the
// start.
func (r *reloader) compare(next loaded) (changed, pending []string) {
	for i, s := range next.Settings {
		switch name := s.Key.Name; {
		case live(s.Key) && !slices.Equal(s.Texts, r.now.Settings[i].Texts):
			changed = append(changed, name)
		case !live(s.Key) && !slices.Equal(s.Texts, r.start.Settings[i].Texts):
			pending = append(pending, name)
		}
	}
	for i, p := range next.Parts {
		if p.Text != r.now.Parts[i].Text {
			changed = append(changed, p.Name)
		}
	}
	return changed, pending
}

// merge is next, with all that is not live as at the start.
func (r *reloader) merge(next loaded) loaded {
	for i, s := range next.Settings {
		if !live(s.Key) {
			next.Settings[i] = r.start.Settings[i]
		}
	}
	return next
}
