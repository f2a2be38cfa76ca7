package dnsmasq

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// wantCodes fails if the plan's problems are not those.
func wantCodes(t *testing.T, p dhcp.Plan, want ...string) {
	t.Helper()
	var got []string
	for _, q := range p.Problems {
		got = append(got, q.Code)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("problems %+v, want %q", p.Problems, want)
	}
}

func TestSecondApplyAndRevert(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.cfg.PIDFile = s.path("pid")
	before := s.files()
	p := s.apply(testBoot(nextUp))
	if again := s.plan(testBoot(nextUp)); !again.Empty() || len(again.Problems) > 0 {
		t.Errorf("second plan: %+v", again)
	}
	if s.files() != "pxeagent-eth1.conf" || s.restarts() != 2 {
		t.Errorf("files %q, %d starts", s.files(), s.restarts())
	}
	if fi, err := os.Stat(s.server().File()); err != nil || fi.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if err := s.server().Revert(t.Context(), p); err != nil || s.files() != before {
		t.Errorf("revert: %v, files %q", err, s.files())
	}
}

func TestRestartThatFailsPutsBack(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.apply(onlyBIOS("10.77.0.9"))
	old, err := os.ReadFile(s.server().File())
	if err != nil {
		t.Fatal(err)
	}
	p := s.plan(testBoot(nextUp))
	s.write("fail", "once\n")
	err = s.server().Apply(t.Context(), p)
	if !errors.Is(err, dhcp.ErrReload) || !errors.Is(err, ErrRestart) ||
		!strings.Contains(err.Error(), "ordered to fail") || strings.Contains(err.Error(), "\n") {
		t.Errorf("apply: %v", err)
	}
	if now, err := os.ReadFile(s.server().File()); err != nil || string(now) != string(old) ||
		s.files() != "pxeagent-eth1.conf" {
		t.Errorf("after it the drop-in is %q, files %q, %v", now, s.files(), err)
	}
	wantOffers(t, s.discovers(t.Context(), []firmware.Client{firmware.ClientBIOS}),
		`bios udp: pxelinux.0 in option 67, server 10.77.0.9, option 60 "", proxy false`)

	s.write("fail", "always\n")
	err = s.server().Apply(t.Context(), p)
	if errors.Is(err, dhcp.ErrReload) || !errors.Is(err, ErrRestart) ||
		!strings.Contains(err.Error(), "does not start with them either") {
		t.Errorf("apply where nothing starts any more: %v", err)
	}
	if now, err := os.ReadFile(s.server().File()); err != nil || string(now) != string(old) {
		t.Errorf("after it the drop-in is %q, %v", now, err)
	}
	if err := s.server().Revert(t.Context(), p); !errors.Is(err, ErrRestart) {
		t.Errorf("revert where nothing starts: %v", err)
	}
}

// Somebody edits the drop-in while Dnsmasq restarts with it: the journal goes on saying that something was written.
func TestEditedWhileItRestarts(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	j, err := dhcp.OpenJournal(t.TempDir(), "dnsmasq")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	s.apply(onlyBIOS("10.77.0.9")) // another's from before, as far as this journal goes
	s.write("edit", "sed -i s/pxelinux.0/other.0/ "+s.server().File()+"\nexec /bin/sh "+s.path("restart")+"\n")
	plain := s.cfg.Restart
	s.cfg.Restart = []string{"/bin/sh", s.path("edit")}
	_, err = dhcp.Configure{Server: s.server(), Want: onlyBIOS(nextUp), Journal: j}.Run(t.Context())
	if !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("configure: %v", err)
	}
	revert := dhcp.Revert{Server: s.server(), Journal: j, DiscardLaterChanges: true}
	_, err = revert.Run(t.Context())
	if !errors.Is(err, dhcp.ErrNotProven) || !strings.Contains(err.Error(), "was edited") {
		t.Errorf("revert while it is edited again: %v", err)
	}
	s.cfg.Restart = plain
	revert.Server = s.server()
	_, err = revert.Run(t.Context())
	if !errors.Is(err, dhcp.ErrNotProven) || strings.Contains(err.Error(), "was edited") {
		t.Errorf("revert: %v", err) // it was not probed
	}
	if text, err := os.ReadFile(s.server().File()); err != nil || !strings.Contains(string(text), "pxelinux.0") ||
		!strings.Contains(string(text), "10.77.0.9") {
		t.Errorf("what was there is not back: %v\n%s", err, text)
	}
}

func TestRestartThatDoesNothing(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	p := s.plan(testBoot(nextUp))
	s.cfg.StartLimit = 500 * time.Millisecond
	s.cfg.Restart = []string{"true"}
	err := s.server().Apply(t.Context(), p)
	// The old process still runs with the old settings, which does not prove a restart.
	if !errors.Is(err, ErrRestart) || !strings.Contains(err.Error(), "no new process") || s.files() != "" {
		t.Errorf("restart that does nothing: %v, files %q", err, s.files())
	}
}

func TestCancelledApplyIsPutBack(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	p := s.plan(testBoot(nextUp))
	ctx, cancel := context.WithCancel(t.Context())
	server := s.server()
	server.step = func(what string) {
		if what == "restart" {
			cancel()
		}
	}
	err := server.Apply(ctx, p)
	if !errors.Is(err, dhcp.ErrReload) || !errors.Is(err, context.Canceled) || s.files() != "" || s.pid() == 0 {
		t.Errorf("cancelled: %v, files %q, dnsmasq %d", err, s.files(), s.pid())
	}
}

func TestFullDisk(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	if err := syscall.Mount("small", s.confDir, "tmpfs", 0, "size=8k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(s.confDir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	old := dropIn{boot: onlyBIOS("10.77.0.9"), mode: ModeServer}.render("eth1")
	if err := os.WriteFile(s.server().File(), old, 0o644); err != nil {
		t.Fatal(err)
	}
	s.restart()
	p := s.plan(testBoot(nextUp))
	fill := filepath.Join(s.confDir, "fill.txt")
	if err := os.WriteFile(fill, make([]byte, 1<<16), 0o644); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	starts := s.restarts()
	err := s.server().Apply(t.Context(), p)
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
		t.Errorf("apply: %v", err)
	}
	if now, err := os.ReadFile(s.server().File()); err != nil || string(now) != string(old) ||
		s.files() != "fill.txt pxeagent-eth1.conf" || s.restarts() != starts {
		t.Errorf("after it: %q %q, %v, %d restarts", s.files(), now, err, s.restarts()-starts)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := s.server().Apply(t.Context(), p); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	temp := s.server().temp
	for _, run := range []func() error{
		func() error { s.apply(testBoot(nextUp)); return nil },
		func() error { return s.server().Apply(t.Context(), s.plan(testBoot(nextUp))) },
		func() error { return s.server().Apply(t.Context(), s.plan(dhcp.Boot{})) },
	} {
		if err := os.WriteFile(temp, []byte("half a li"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the temporary file is still there: %v", err)
		}
	}
}

func TestOnlyARegularFileIsOurs(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	s.write("elsewhere", "secret\n")
	if err := os.Symlink(s.path("elsewhere"), s.server().File()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.server().Plan(t.Context(), testBoot(nextUp)); err == nil ||
		!strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a link: %v", err)
	}
}

func TestWithoutPermission(t *testing.T) {
	s := newSite(t, ModeServer, leasing)
	p := s.plan(testBoot(nextUp))
	if err := os.Chmod(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	server := s.server().Server
	err := onOwnThread(func() error {
		// The thread gives up root for files alone, and ends.
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			return err
		}
		return server.replace(p.Before, p.After.Raw)
	})
	if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") || s.files() != "" {
		t.Errorf("as nobody: %v, files %q", err, s.files())
	}
}
