package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"pxeagent/agent/image"
)

// Each metric of images shows what is on disk when it is asked for: added, verified, spoiled, removed, put there by
// hand.
func TestImageMetricsFollowTheDisk(t *testing.T) {
	r := start(t, nil)
	dir, from := filepath.Join(r.root, "http"), t.TempDir()
	for name, text := range map[string]string{"vmlinuz": "kernel", "initrd.img": "initrd!"} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const label = `\{image="generic-rescue"\}`
	if got := r.metric("pxeagent_image_verified" + label); got != -1 {
		t.Errorf("before it is added, verified is %v", got)
	}
	s, err := image.NewStore(image.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Add(context.Background(), image.Order{Recipe: "generic", Version: "rescue", From: []string{from}})
	if err != nil {
		t.Fatal(err)
	}
	r.until("pxeagent_image_verified"+label, 1)
	r.until("pxeagent_image_size_bytes"+label, 13)
	r.until("pxeagent_image_added_timestamp_seconds"+label, float64(in.Added.Unix()))
	r.until("pxeagent_image_verified_timestamp_seconds"+label, float64(in.Added.Unix()))

	for path, want := range map[string]int{
		"/generic/rescue/amd64/kernel": 200, "/generic/rescue/amd64/.pxeagent.json": 404,
		"/.pxeagent/lock/generic-rescue": 404, "/.PXEAGENT/lock/generic-rescue": 404,
		"/x/../.pxeagent/lock/generic-rescue": 404,
	} {
		if got, _ := r.get(path, "curl"); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}

	if err := os.WriteFile(filepath.Join(dir, in.Dir, "kernel"), []byte("KERNEL"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(context.Background(), in.Key); err == nil {
		t.Error("a changed kernel was not noticed")
	}
	r.until("pxeagent_image_verified"+label, 0)
	if _, err := s.Remove(in.Key); err != nil {
		t.Fatal(err)
	}
	r.until("pxeagent_image_size_bytes"+label, -1)

	by := filepath.Join(dir, "memtest86")
	if err := os.MkdirAll(by, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(by, "memtest86-5.01"), []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	const hand = `\{image="memtest-memtest86-5.01"\}`
	r.until("pxeagent_image_size_bytes"+hand, 5)
	r.until("pxeagent_image_verified"+hand, 0)
	for _, absent := range []string{"added", "verified"} {
		if got := r.metric("pxeagent_image_" + absent + "_timestamp_seconds" + hand); got != -1 {
			t.Errorf("%s of a tree that was put there by hand is %v", absent, got)
		}
	}
}
