package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// testMounted tests in a mount namespace of its own, where conf_dir is a copy in memory with the new
// drop-in: whatever file names another by its path, the daemon's arguments and an AppArmor profile, all
// apply as they are, nothing outside sees it, and it ends with the thread, even if killed.
func (s *Server) testMounted(ctx context.Context, t target, raw []byte) error {
	dir, err := os.OpenRoot(s.cfg.ConfDir)
	if err != nil {
		return fmt.Errorf("reading Dnsmasq's configuration: %w", err)
	}
	defer dir.Close()
	return onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("%w: %w", errNoNamespace, err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("%w: %w", errNoNamespace, err)
		}
		if err := unix.Mount("pxeagent", s.cfg.ConfDir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "mode=755"); err != nil {
			return fmt.Errorf("%w: %w", errNoNamespace, err)
		}
		// dir was opened before and still shows the real folder.
		if err := os.CopyFS(s.cfg.ConfDir, dir.FS()); err != nil {
			return fmt.Errorf("%w: copying %s: %w", errNoNamespace, s.cfg.ConfDir, err)
		}
		own := filepath.Join(s.cfg.ConfDir, filepath.Base(s.file))
		if err := os.Remove(own); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: %w", errNoNamespace, err)
		}
		if raw != nil {
			if err := os.WriteFile(own, raw, 0o644); err != nil {
				return fmt.Errorf("%w: %w", errNoNamespace, err)
			}
		}
		return runTest(ctx, t.testCommand(t.args), nil)
	})
}

// onOwnThread runs f on a thread that ends with it, and with it the namespaces that f entered.
func onOwnThread(f func() error) error {
	done := make(chan error)
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The process's first thread never ends and is what /proc/self shows: while it
			// is held here, the other goroutine is on another one.
			inner := make(chan struct{})
			go func() { defer close(inner); run() }()
			<-inner
			runtime.UnlockOSThread()
			return
		}
		done <- f() // and the thread, still locked, ends
	}
	go run()
	return <-done
}
