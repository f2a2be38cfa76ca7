package catalog

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var longAgo = time.Unix(1e9, 0)

// write makes a file, and has it and its folders be as if nobody had written there for long.
func write(t *testing.T, root, name, text string, at time.Time) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, at); err != nil {
		t.Fatal(err)
	}
	settle(t, root, at)
}

// settle gives all folders a time.
func settle(t *testing.T, root string, at time.Time) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chtimes(path, time.Time{}, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeptIsBounded(t *testing.T) {
	dir := t.TempDir()
	k := Kept[int]{Limit: 25}
	put := func(name string, size int, value int) (kept bool) {
		t.Helper()
		write(t, dir, name, string(make([]byte, size)), longAgo)
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !k.Keeps(info) {
			return false
		}
		k.Put(filepath.Join(dir, name), info, value)
		got, ok := k.Find(filepath.Join(dir, name))
		if ok && got != value {
			t.Errorf("%s: %d, want %d", name, got, value)
		}
		return ok
	}
	for n, name := range []string{"a", "b", "b", "c", "d"} {
		if !put(name, 10, n) {
			t.Errorf("%s is not kept", name)
		}
		if k.bytes != int64(10*len(k.by)) || k.bytes > 25 {
			t.Errorf("%d bytes in %d files", k.bytes, len(k.by))
		}
	}
	if put("large", 26, 0) {
		t.Error("what is larger than all that is kept is kept")
	}
	if err := os.Remove(filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.Find(filepath.Join(dir, "d")); ok || k.bytes != int64(10*len(k.by)) {
		t.Errorf("what was removed: %v; %d bytes in %d files", ok, k.bytes, len(k.by))
	}
}

// A listing is made once, and again when something of it changes.
func TestListIsMadeOncePerChange(t *testing.T) {
	root := t.TempDir()
	write(t, root, "http/ipxe/menu.d/a.ipxe", "#!ipxe\n# title: A\n", longAgo)
	c, err := New(Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	list := func() *Listing {
		t.Helper()
		l, err := c.List()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.List(); err != nil || again != l {
			t.Errorf("made again, %v, and nothing has changed", err)
		}
		return l
	}
	title := func(key string) string {
		for _, i := range list().Items {
			if i.Key == key {
				return i.Title
			}
		}
		return ""
	}
	before := list()
	if got := title("a"); got != "A" {
		t.Errorf("title %q", got)
	}
	at := longAgo
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"a script is written to", func() { write(t, root, "http/ipxe/menu.d/a.ipxe", "#!ipxe\n# title: B\n", at) }},
		{"a script is added", func() { write(t, root, "http/ipxe/menu.d/b.ipxe", "#!ipxe\n", at) }},
		{"an image is added", func() { write(t, root, "http/memtest/memtest86+x64.bin", "x", at) }},
		{"a script is removed", func() {
			if err := os.Remove(filepath.Join(root, "http/ipxe/menu.d/a.ipxe")); err != nil {
				t.Fatal(err)
			}
			settle(t, root, at)
		}},
		{"rescue items are not wanted", func() { c.SetNoRescue(true) }},
	} {
		at = at.Add(time.Second)
		c.change()
		after := list()
		if after == before {
			t.Errorf("%s, and the listing is the one from before", c.what)
		}
		before = after
	}
	if title("a") != "" || title("b") != "b" {
		t.Errorf("%+v", before.Items)
	}
	// What was written just now may be written to again within a tick of the clock.
	write(t, root, "http/ipxe/menu.d/b.ipxe", "#!ipxe\n# title: 1\n", time.Now().Add(time.Hour))
	if got, err := c.List(); err != nil || got == before {
		t.Errorf("a script that was just written is not seen, %v", err)
	}
}
