package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"pxeagent/agent/boot"
)

// TestUnreadableFile asks as a user who may not read the file. It must not be the built-in one, in silence.
func TestUnreadableFile(t *testing.T) {
	s := newSite(t, Config{})
	s.put("tftp/undionly.kpxe", "mine")
	s.put("tftp/folder/vmlinuz", "mine")
	for name, mode := range map[string]os.FileMode{"": 0o755, "..": 0o755, "tftp/undionly.kpxe": 0, "tftp/folder": 0} {
		if err := os.Chmod(filepath.Join(s.root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(s.root, "tftp/folder"), 0o755) })
	if os.Geteuid() == 0 {
		// Root may read everything; this thread is nobody to the file system until it ends with the test.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Setfsuid(0); runtime.UnlockOSThread() })
	}
	for name, want := range map[string]boot.Artifact{"undionly.kpxe": boot.NBP, "x/undionly.kpxe": boot.NBP,
		"folder/vmlinuz": boot.Kernel} {
		_, err := s.Open(tftp(name))
		var no *NotOpened
		if !errors.As(err, &no) || !errors.Is(err, fs.ErrPermission) || no.Artifact != want ||
			!strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
