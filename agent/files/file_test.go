package files

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestChanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for what, tt := range map[string]struct {
		change func() error
		want   bool
	}{
		"left alone": {func() error { return nil }, false},
		"longer":     {func() error { return os.WriteFile(name, []byte("more than before"), 0o644) }, true},
		"as long":    {func() error { return os.WriteFile(name, []byte("after!"), 0o644) }, true},
		"replaced": {func() error {
			return errors.Join(os.WriteFile(name+"~", []byte("after"), 0o644), os.Rename(name+"~", name))
		}, false},
	} {
		if err := os.WriteFile(name, []byte("before"), 0o644); err != nil {
			t.Fatal(err)
		}
		// Long ago: clocks of file systems are coarse.
		if err := os.Chtimes(name, time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		file := onDisk("f", f, info)
		if err := tt.change(); err != nil {
			t.Fatal(err)
		}
		if got := file.Changed(); got != tt.want {
			t.Errorf("%s: %v, want %v", what, got, tt.want)
		}
		file.Close()
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if builtIn := (&File{Content: bytes.NewReader(nil)}); builtIn.Changed() {
		t.Error("what is built in was changed")
	}
}

func TestFilesWithTheSameContent(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("first"), 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	id := func() any {
		t.Helper()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return onDisk("f", f, info).ID()
	}
	was := id()
	if again := id(); was == nil || again != was {
		t.Errorf("opened twice: %v and %v", was, again)
	}
	info, err := first.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// The same size and time, and another file.
	if err := errors.Join(os.WriteFile(name+"~", []byte("after"), 0o644),
		os.Chtimes(name+"~", time.Time{}, info.ModTime()), os.Rename(name+"~", name)); err != nil {
		t.Fatal(err)
	}
	if other := id(); other == was {
		t.Errorf("another file has the same ID %v", other)
	}
	if a, b := newContent("a", "", []byte("x")).open(), newContent("a", "", []byte("y")).open(); a.ID() == b.ID() {
		t.Errorf("%v is the ID of two", a.ID())
	}
}
