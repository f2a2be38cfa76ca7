package dhcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// journalEnv tells TestJournalChild what to do and in which folder.
const journalEnv = "PXEAGENT_DHCP_JOURNAL"

// TestJournalChild is the process that the tests below start. By itself it checks that a lock ends with Close.
func TestJournalChild(t *testing.T) {
	what, dir, child := strings.Cut(os.Getenv(journalEnv), " ")
	if !child {
		dir = t.TempDir()
	}
	j, err := OpenJournal(dir, "k")
	if err != nil {
		t.Fatal(err)
	}
	switch what {
	case "hold":
		fmt.Println("locked")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends it
	case "":
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j, err = OpenJournal(dir, "k"); err != nil {
			t.Fatal(err)
		}
		defer j.Close()
	default:
		j.create = func(name string) (file, error) {
			f, err := createFile(name)
			return dyingFile{f, what}, err
		}
		_ = j.write(record{First: &stateB})
	}
}

// dyingFile ends its process by SIGKILL at one of its operations.
type dyingFile struct {
	file
	at string
}

func (f dyingFile) dieAt(here string) {
	if f.at == here {
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
}

func (f dyingFile) Write(b []byte) (int, error) {
	if f.at == "write" {
		_, _ = f.file.Write(b[:len(b)/2])
	}
	f.dieAt("write")
	return f.file.Write(b)
}
func (f dyingFile) Sync() error  { f.dieAt("sync"); return f.file.Sync() }
func (f dyingFile) Close() error { f.dieAt("close"); return f.file.Close() }

func journalChild(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestJournalChild$")
	cmd.Env = append(os.Environ(), journalEnv+"="+what+" "+dir)
	return cmd
}

func TestJournalWriterKilled(t *testing.T) {
	dir := t.TempDir()
	for _, at := range []string{"write", "sync", "close"} {
		j, err := OpenJournal(dir, "k")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(j.write(record{First: &stateA}), j.Close()); err != nil {
			t.Fatal(err)
		}
		cmd := journalChild(t, at, dir)
		if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("the child was not killed: %v %s", err, out)
		}
		if j, err = OpenJournal(dir, "k"); err != nil {
			t.Fatalf("killed at %s: %v", at, err)
		}
		if first, ok := j.First(); !ok || !first.Same(stateA) {
			t.Errorf("killed at %s: the journal has %q", at, first.Raw)
		}
		if err := errors.Join(j.write(record{First: &stateB}), j.Close()); err != nil {
			t.Errorf("killed at %s: %v", at, err)
		}
		if entries, _ := os.ReadDir(filepath.Dir(j.path)); len(entries) != 2 {
			t.Errorf("killed at %s, and written again: %v", at, entries)
		}
	}
}

func TestJournalLock(t *testing.T) {
	dir := t.TempDir()
	cmd := journalChild(t, "hold", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("locked\n"))); err != nil {
		t.Fatal(err)
	}
	_, err = OpenJournal(dir, "k")
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != cmd.Process.Pid ||
		locked.Path != filepath.Join(dir, "journal", "k.lock") {
		t.Errorf("while process %d holds the lock: %v", cmd.Process.Pid, err)
	}
	if text := fmt.Sprintf("%s: process %d", locked.Path, cmd.Process.Pid); !strings.HasSuffix(err.Error(), text) {
		t.Errorf("error %q does not end in %q", err, text)
	}
	if other, err := OpenJournal(dir, "other"); err != nil {
		t.Errorf("another interface's journal: %v", err)
	} else {
		other.Close()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	j, err := OpenJournal(dir, "k")
	if err != nil {
		t.Fatalf("after its holder was killed: %v", err)
	}
	defer j.Close()
	if _, err := OpenJournal(dir, "k"); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("twice in one process: %v", err)
	}
}
