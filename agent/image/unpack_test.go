package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/image/imagetest"
)

// unpacked unpacks an archive into an empty folder, and returns what is there then, and an error.
func unpacked(t testing.TB, archive []byte, max limits, room int64, strip int) (dir string, err error) {
	t.Helper()
	around := t.TempDir()
	dir = filepath.Join(around, "image")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	u := newUnpacker(root, max, room, []string{"x/secret*"})
	if err = u.archive(bytes.NewReader(archive), int64(len(archive)), ".", strip, &meter{}); err == nil {
		err = u.finish()
	}
	if entries, _ := os.ReadDir(around); len(entries) != 1 {
		t.Errorf("something was written outside: %v", entries)
	}
	return dir, err
}

func TestHostileArchives(t *testing.T) {
	type e = imagetest.Entry
	wide := make([]e, 101)
	for i := range wide {
		wide[i] = e{Name: strings.Repeat("a", i+1)}
	}
	outside := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		entries []e
		text    string
	}{
		{"out by ..", []e{{Name: "../evil", Body: "x"}}, "leads out of the folder"},
		{"out by .. in the middle", []e{{Name: "a/../../evil", Body: "x"}}, "leads out of the folder"},
		{"out by .. as a folder", []e{{Name: "../evil/"}}, "leads out of the folder"},
		{"absolute", []e{{Name: "/etc/evil", Body: "x"}}, "is an absolute path"},
		{"backslashes", []e{{Name: `..\evil`, Body: "x"}}, "not a name that an image may have"},
		{"not UTF-8", []e{{Name: "a\xd0b", Body: "x"}}, "not a name that an image may have"},
		{"control characters", []e{{Name: "a\x1b[2Jb", Body: "x"}}, "not a name that an image may have"},
		{"link out, relative", []e{{Name: "l", Type: tar.TypeSymlink, Link: "../" + filepath.Base(outside)}},
			"out of the folder"},
		{"link out, absolute", []e{{Name: "l", Type: tar.TypeSymlink, Link: outside}}, "out of the folder"},
		{"link out by way of another", []e{{Name: "d/"}, {Name: "d/up", Type: tar.TypeSymlink, Link: ".."},
			{Name: "d/out", Type: tar.TypeSymlink, Link: "up/../target"}}, "not there or not in the folder"},
		{"link to nothing", []e{{Name: "l", Type: tar.TypeSymlink, Link: "nowhere"}}, "not there"},
		{"link to itself", []e{{Name: "l", Type: tar.TypeSymlink, Link: "l"}}, "not there"},
		{"file through a link", []e{{Name: "d", Type: tar.TypeSymlink, Link: "."}, {Name: "d/evil", Body: "x"}},
			"which is not a folder"},
		{"link through a link", []e{{Name: "d", Type: tar.TypeSymlink, Link: "."},
			{Name: "d/evil", Type: tar.TypeSymlink, Link: "x"}}, "which is not a folder"},
		{"file over a link", []e{{Name: "l", Type: tar.TypeSymlink, Link: "."}, {Name: "l", Body: "x"}}, "is a duplicate"},
		{"link over a file", []e{{Name: "l", Body: "x"}, {Name: "l", Type: tar.TypeSymlink, Link: "."}}, "is a duplicate"},
		{"hard link out", []e{{Name: "l", Type: tar.TypeLink, Link: "../target"}}, "leads out of the folder"},
		{"hard link, absolute", []e{{Name: "l", Type: tar.TypeLink, Link: outside}}, "is an absolute path"},
		{"hard link to what is not in it", []e{{Name: "l", Type: tar.TypeLink, Link: "nowhere"}}, "is not a file before it"},
		{"hard link to a link", []e{{Name: "s", Type: tar.TypeSymlink, Link: "x"},
			{Name: "l", Type: tar.TypeLink, Link: "s"}}, "cannot be made"},
		{"character device", []e{{Name: "null", Type: tar.TypeChar}}, "a device, a FIFO or the like"},
		{"block device", []e{{Name: "sda", Type: tar.TypeBlock}}, "a device, a FIFO or the like"},
		{"FIFO", []e{{Name: "pipe", Type: tar.TypeFifo}}, "a device, a FIFO or the like"},
		{"the same file twice", []e{{Name: "a", Body: "1"}, {Name: "./a", Body: "2"}}, "is a duplicate"},
		{"a folder over a file", []e{{Name: "a", Body: "1"}, {Name: "a/"}}, "a file and then a folder"},
		{"a file in a file", []e{{Name: "a", Body: "1"}, {Name: "a/b", Body: "2"}}, "which is not a folder"},
		{"a file over a folder", []e{{Name: "a/b", Body: "1"}, {Name: "a", Body: "2"}}, "is a duplicate"},
		{"too many files", wide, "more than 100 files"},
		{"too large", []e{{Name: "bomb", Body: strings.Repeat("\x00", 1<<20+1)}}, "more than 1.0 MiB"},
		{"too large together", []e{{Name: "a", Body: strings.Repeat("\x00", 1<<19)},
			{Name: "b", Body: strings.Repeat("\x00", 1<<19+1)}}, "more than 1.0 MiB"},
		{"larger than it is", []e{{Name: "a", Body: "x", Size: 1 << 10}}, "ends too early"},
		{"our manifest", []e{{Name: "x/" + manifestName, Body: "{}"}}, "keeps for itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			max := limits{files: 100, bytes: 1 << 20}
			_, err := unpacked(t, imagetest.TGZ(t, c.entries...), max, 1<<30, 0)
			if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want one that says %q", err, c.text)
			}
			if text, _ := os.ReadFile(outside); string(text) != "mine" {
				t.Errorf("the file outside is now %q", text)
			}
		})
	}
}

// zip says in other ways what leads outside.
func TestHostileZips(t *testing.T) {
	for _, c := range []struct {
		name, body string
		mode       fs.FileMode
		text       string
	}{
		{"../evil", "x", 0o644, "leads out of the folder"},
		{"/etc/evil", "x", 0o644, "is an absolute path"},
		{`..\evil`, "x", 0o644, "not a name that an image may have"},
		{"l", "/etc/passwd", fs.ModeSymlink | 0o777, "out of the folder"},
		{"l", "../target", fs.ModeSymlink | 0o777, "out of the folder"},
		{"pipe", "", fs.ModeNamedPipe | 0o644, "a device, a FIFO or the like"},
		{"null", "", fs.ModeDevice | fs.ModeCharDevice | 0o644, "a device, a FIFO or the like"},
		{"bomb", strings.Repeat("\x00", 1<<20+1), 0o644, "more than 1.0 MiB"},
	} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: c.name, Method: zip.Deflate}
		h.SetMode(c.mode)
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(f, c.body)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := unpacked(t, b.Bytes(), limits{files: 100, bytes: 1 << 20}, 1<<30, 0); !errors.Is(err, ErrArchive) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%s, %v: error %v, want one that says %q", c.name, c.mode, err, c.text)
		}
	}
}

func TestArchivesOfAllKinds(t *testing.T) {
	entries := []imagetest.Entry{
		{Name: "top/"},
		{Name: "top/a", Body: "one"},
		{Name: "./top/d/b", Body: "two", Mode: 0o6755},
		{Name: "top/x/secret.txt", Body: "s"},
	}
	plain := imagetest.Tar(t, entries...)
	links := append([]imagetest.Entry{{Name: "top/l", Type: tar.TypeSymlink, Link: "d/b"}}, entries...)
	links = append(links, imagetest.Entry{Name: "top/h", Type: tar.TypeLink, Link: "top/a"})
	for name, archive := range map[string][]byte{
		"tar": plain, "tar.gz": imagetest.Gzip(t, plain), "tar.gz in two members": append(imagetest.Gzip(t, plain[:700]),
			imagetest.Gzip(t, plain[700:])...),
		"zip": imagetest.Zip(t, entries[1], entries[2], entries[3]), "with links": imagetest.TGZ(t, links...),
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := unpacked(t, archive, anImage, 1<<30, 1)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"a": "one", "d/b": "two"}
			if name == "with links" {
				want["l"], want["h"] = "two", "one"
			}
			for file, text := range want {
				if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != text {
					t.Errorf("%s is %q, %v", file, got, err)
				}
			}
			filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
				if info, _ := d.Info(); info != nil && d.Type().IsRegular() && info.Mode() != 0o644 {
					t.Errorf("%s has mode %v", p, info.Mode())
				}
				if strings.Contains(p, "secret") {
					t.Errorf("%s was to be left out", p)
				}
				return err
			})
		})
	}
}

func TestArchivesThatAreDamaged(t *testing.T) {
	whole := imagetest.TGZ(t, imagetest.Entry{Name: "a", Body: string(noise(10_000))})
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 0xff
	for name, archive := range map[string][]byte{
		"nothing": nil, "text": []byte("<html>404</html>"), "cut": whole[:len(whole)-2000], "a byte is another": flipped,
		"xz":              []byte("\xfd7zXZ\x00rest"),
		"gzip of nothing": imagetest.Gzip(t, nil), "a zip that is cut": imagetest.Zip(t,
			imagetest.Entry{Name: "a", Body: "x"})[:40],
	} {
		if _, err := unpacked(t, archive, anImage, 1<<30, 0); !errors.Is(err, ErrArchive) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What does not fit on the disk is not begun.
func TestArchiveLargerThanTheDisk(t *testing.T) {
	_, err := unpacked(t, imagetest.TGZ(t, imagetest.Entry{Name: "a", Body: "12345"}), anImage, 4, 0)
	if !errors.Is(err, ErrNoSpace) {
		t.Error(err)
	}
}
