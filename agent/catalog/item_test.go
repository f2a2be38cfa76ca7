package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	items := []Item{
		{Key: Local},
		{Key: "debian-9", Names: []string{"debian"}, Version: "9"},
		{Key: "debian-12", Names: []string{"debian", "debian-netboot"}, Version: "12"},
		{Key: "debian-10", Names: []string{"debian"}, Version: "10"},
	}
	for name, want := range map[string]string{
		Local: Local, "debian-9": "debian-9", "debian": "debian-12", "debian-netboot": "debian-12",
	} {
		if got, err := Find(items, name); err != nil || got.Key != want {
			t.Errorf("%s is %q, %v; want %s", name, got.Key, err, want)
		}
	}
	if _, err := Find(items, "fedora"); !errors.Is(err, ErrUnknownItem) {
		t.Errorf("fedora: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]string{
		filepath.Join(file, "none"): "root folder: ", file: "not a directory", file + "x": "no such file",
	} {
		if _, err := New(Config{Root: root}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
