package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
)

// putOld writes a file that nobody has written to for long.
func (s *site) putOld(name, text string, at time.Time) {
	s.t.Helper()
	s.put(name, text)
	if err := os.Chtimes(filepath.Join(s.root, name), time.Time{}, at); err != nil {
		s.t.Fatal(err)
	}
}

// inMemory reads a file twice, and reports whether it was read from disk the second time.
func (s *site) inMemory(a *boot.Ask, want string) bool {
	s.t.Helper()
	first, text := s.read(a)
	again, textAgain := s.read(a)
	if text != want || textAgain != want {
		s.t.Errorf("%s: %.40q and then %.40q, want %.40q", a.Name, text, textAgain, want)
	}
	if first.ETag != again.ETag || first.ContentType != again.ContentType || !first.ModTime.Equal(again.ModTime) ||
		first.Name != again.Name || first.Artifact != again.Artifact || first.Size != again.Size {
		s.t.Errorf("%s: %+v and then %+v", a.Name, first, again)
	}
	_, onDisk := again.Content.(*os.File)
	return !onDisk
}

var longAgo = time.Unix(9e8, 0) // before the time at which synctest begins

func TestSmallFilesAreKeptInMemory(t *testing.T) {
	for name, tc := range map[string]struct {
		ask  func(string) *boot.Ask
		size int
		at   time.Time
		want bool
	}{
		"http, small":        {http, keepHTTP, longAgo, true},
		"http, large":        {http, keepHTTP + 1, longAgo, false},
		"tftp, small":        {tftp, keepTFTP, longAgo, true},
		"tftp, large":        {tftp, keepTFTP + 1, longAgo, false},
		"empty":              {http, 0, longAgo, false},
		"written just now":   {http, 100, time.Now(), false},
		"written in a while": {http, 100, time.Now().Add(time.Hour), false},
	} {
		s := newSite(t, Config{})
		text := strings.Repeat("x", tc.size)
		s.putOld("http/d/f.cfg", text, tc.at)
		s.putOld("tftp/d/f.cfg", text, tc.at)
		if got := s.inMemory(tc.ask("d/f.cfg"), text); got != tc.want {
			t.Errorf("%s: in memory: %v, want %v", name, got, tc.want)
		}
	}
}

// What was kept is served only as long as it is what lies at that name, or was a moment ago.
func TestMemoryFollowsTheDisk(t *testing.T) {
	const name = "http/f.cfg"
	for what, tc := range map[string]struct {
		change func(s *site, path string) error
		want   string
		err    error
	}{
		"as long, another time": {func(s *site, _ string) error {
			s.putOld(name, "after!", longAgo.Add(time.Second))
			return nil
		}, "after!", nil},
		"longer, the same time": {func(s *site, _ string) error {
			s.putOld(name, "longer text", longAgo)
			return nil
		}, "longer text", nil},
		"replaced by one as long and as old": {func(s *site, path string) error {
			s.putOld("http/new", "after!", longAgo)
			return os.Rename(filepath.Join(s.root, "http/new"), path)
		}, "after!", nil},
		"removed": {func(_ *site, path string) error { return os.Remove(path) }, "", fs.ErrNotExist},
		"replaced by a link that leads out": {func(s *site, path string) error {
			s.putOld("secret", "secret", longAgo)
			return errors.Join(os.Remove(path), os.Symlink("../secret", path))
		}, "", ErrRefused},
		"replaced by a folder": {func(_ *site, path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o755))
		}, "", ErrRefused},
		"the whole tree replaced": {func(s *site, path string) error {
			tree := filepath.Dir(path)
			err := os.Rename(tree, tree+"-old")
			s.putOld(name, "after!", longAgo)
			return err
		}, "after!", nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, Config{})
			s.putOld(name, "before", longAgo)
			if !s.inMemory(http("f.cfg"), "before") {
				t.Fatalf("%s: not in memory", what)
			}
			if err := tc.change(s, filepath.Join(s.root, name)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(trust - 1)
			if _, text := s.read(http("f.cfg")); text != "before" {
				t.Errorf("%s: %q, and the file was looked at a moment ago", what, text)
			}
			time.Sleep(time.Nanosecond)
			f, err := s.Open(http("f.cfg"))
			if !errors.Is(err, tc.err) {
				t.Errorf("%s: %v, want %v", what, err, tc.err)
			}
			if err == nil {
				if text, err := readAll(f); err != nil || string(text) != tc.want {
					t.Errorf("%s: %q, %v, want %q", what, text, err, tc.want)
				}
				f.Close()
			}
		})
	}
}

// A name cannot reach what was kept for another tree, nor what a tree keeps private.
func TestMemoryIsOfOneTree(t *testing.T) {
	s := newSite(t, Config{})
	s.putOld("tftp/f.cfg", "by TFTP alone", longAgo)
	if !s.inMemory(tftp("f.cfg"), "by TFTP alone") {
		t.Fatal("not in memory")
	}
	for _, name := range []string{"../tftp/f.cfg", "/../tftp/f.cfg", "x/../../tftp/f.cfg", "f.cfg"} {
		if f, err := s.Open(http(name)); err == nil {
			t.Errorf("%s is %+v", name, f)
		}
	}
}

// BenchmarkSmallFile is what a small file costs to open.
func BenchmarkSmallFile(b *testing.B) {
	s := newSite(b, Config{})
	for name, at := range map[string]time.Time{"disk": time.Now().Add(time.Hour), "memory": longAgo} {
		s.putOld("http/"+name, strings.Repeat("x", 307), at)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := s.Open(http(name))
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}

// What depends on who asks is looked up each time, even if the file was kept when somebody else asked.
func TestMemoryIsNotForEveryone(t *testing.T) {
	bootFiles := ipxe.BootFiles()
	bootFiles[firmware.EFI64] = "mine.bin"
	s := newSite(t, Config{BootFiles: bootFiles})
	for _, name := range []string{"ipxe.efi", "mine.bin"} {
		s.putOld("http/"+name, "the user's "+name, longAgo)
		if !s.inMemory(http("/"+name), "the user's "+name) {
			t.Errorf("%s is not kept", name)
		}
		f, err := s.Open(&boot.Ask{Proto: boot.HTTP, Name: "/" + name, Class: boot.IPXE})
		if err != nil {
			t.Fatal(err)
		}
		if !f.LoopBroken {
			t.Errorf("%s: iPXE is given %+v", name, f)
		}
		f.Close()
	}
	s.putOld("http/.pxeagent.json", "{}", longAgo)
	for range 2 {
		if _, err := s.Open(http("/.pxeagent.json")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a private file: %v", err)
		}
	}
}
