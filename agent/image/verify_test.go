package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/image/imagetest"
)

func TestVerify(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishSmartOS(t, stamp)
	in := b.add(Order{Recipe: "smartos", Version: stamp})
	later := in.Added.Add(time.Hour)
	b.now = func() time.Time { return later }
	v, err := b.Verify(context.Background(), in.Key)
	if err != nil || v.Files != 3 || v.Bytes != in.Bytes || v.Unknown {
		t.Fatalf("%+v, %v", v, err)
	}
	if in, _ = b.Find(in.Key); !in.OK() || !in.Verified.Equal(later) {
		t.Errorf("after it was verified: %+v", in)
	}
	dir := filepath.Join(b.Dir, in.Dir, "platform/i86pc")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "amd64/boot_archive"), []byte("rot"), 0o644),
		os.WriteFile(filepath.Join(dir, "answers"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	v, err = b.Verify(context.Background(), in.Key)
	if !errors.Is(err, ErrDamaged) || len(v.Changed) != 1 || v.Changed[0] != "platform/i86pc/amd64/boot_archive" ||
		len(v.Extra) != 1 ||
		v.Extra[0] != "platform/i86pc/answers" {
		t.Errorf("%+v, %v", v, err)
	}
	if in, _ = b.Find(in.Key); in.OK() || in.Fault != "platform/i86pc/amd64/boot_archive has changed" {
		t.Errorf("after it was found changed: %+v", in)
	}
	for _, img := range find(t, b.finder).Images {
		if !img.Verified.IsZero() {
			t.Error("the menu takes it for verified")
		}
	}
	// A file that became a link is a file that is gone.
	os.Remove(filepath.Join(dir, "kernel/amd64/unix"))
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "kernel/amd64/unix")); err != nil {
		t.Fatal(err)
	}
	v, err = b.Verify(context.Background(), in.Key)
	if !errors.Is(err, ErrDamaged) || len(v.Missing) != 1 || v.Fault() != "1 files are missing and 1 have changed" {
		t.Errorf("%+v, %v: %s", v, err, v.Fault())
	}
	if _, err := b.Verify(context.Background(), "smartos-1"); !errors.Is(err, ErrNoImage) {
		t.Errorf("one that is not there: %v", err)
	}
	// It cannot be booted any more, and can still be named, verified and removed.
	if in, err := b.Find(in.Key); err != nil || len(in.Items) != 0 {
		t.Errorf("%+v, %v", in, err)
	}
	if _, err := b.Remove(in.Key); err != nil {
		t.Error(err)
	}
}

// Of a tree that was put there by hand, boot_archive can be compared with its .hash; of others nothing is known.
func TestVerifyByHand(t *testing.T) {
	b := newBench(t)
	top := "smartos/" + stamp + "/platform/i86pc/"
	put(t, b.Dir, top+"kernel/amd64/unix", top+"amd64/boot_archive", "memtest86/memtest86-5.01")
	hash := filepath.Join(b.Dir, top, "amd64/boot_archive.hash")
	check := func(key string, want error, unknown bool) {
		t.Helper()
		v, err := b.Verify(context.Background(), key)
		if !errors.Is(err, want) || v.Unknown != unknown {
			t.Errorf("%s: %+v, %v", key, v, err)
		}
	}
	check("smartos-"+stamp, nil, true)
	if err := os.WriteFile(hash, []byte(imagetest.Sum("sha1", nil)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	check("smartos-"+stamp, nil, false)
	in, err := b.Find("smartos-" + stamp)
	if err != nil || !in.OK() || in.Recipe != "" || len(in.Items) != 1 {
		t.Errorf("%+v, %v", in, err)
	}
	if err := os.WriteFile(filepath.Join(b.Dir, top, "amd64/boot_archive"), []byte("rot"), 0o644); err != nil {
		t.Fatal(err)
	}
	check("smartos-"+stamp, ErrDamaged, false)
	if in, _ = b.Find("smartos-" + stamp); in.OK() || in.Bytes == 0 {
		t.Errorf("%+v", in)
	}
	check("memtest-memtest86-5.01", nil, true)
	if _, err := b.Remove("smartos-" + stamp); !errors.Is(err, ErrByHand) {
		t.Errorf("removing it: %v", err)
	}
}

// A manifest that somebody wrote leads nowhere else, and one that is broken takes its image out of the menu and nothing
// else.
func TestManifestsAreNotTrusted(t *testing.T) {
	for _, text := range []string{
		`{"key":"x","boot":[{"key":"x","kind":"linux","cpu":"x86","bios":"../../etc/passwd"}]}`,
		`{"key":"x","boot":[{"key":"x","kind":"linux","cpu":"x86","bios":"/etc/passwd"}]}`,
		`{"key":"x","boot":[{"key":"x; shell","kind":"linux","cpu":"x86","bios":"k"}]}`,
		`{"key":"x","boot":[{"key":"x","kind":"magic","cpu":"x86","bios":"k"}]}`,
		`{"key":"x","files":[{"path":"../k"}]}`,
		`{"key":"../x"}`, `{"key":""}`, `{`, `[]`, strings.Repeat("[", 100_000),
	} {
		dir := t.TempDir()
		put(t, dir, "a/k", "b/memtest86+x64.bin")
		if err := os.WriteFile(filepath.Join(dir, "a", manifestName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		found := find(t, NewFinder(dir))
		if len(found.Faults) != 1 || len(found.Images) != 1 || found.Images[0].System != "memtest" {
			t.Errorf("%.60s: %+v", text, found)
		}
	}
}
