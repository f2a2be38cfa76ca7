package image

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/agent/image/imagetest"
)

const stamp = "20130808T195337Z"

// bench is a store on an empty disk, and a mirror that all its recipes fetch from.
type bench struct {
	*Store
	t      testing.TB
	root   string
	mirror *imagetest.Mirror

	mu    sync.Mutex
	steps []string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, root: t.TempDir(), mirror: imagetest.New(t)}
	b.open()
	return b
}

// open opens the store again, as another run of the command does.
func (b *bench) open() {
	b.t.Helper()
	mirrors := map[string][]string{}
	all, err := Recipes("")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range all {
		if len(r.Mirrors) > 0 {
			mirrors[r.Name] = []string{b.mirror.URL}
		}
	}
	b.Store, err = NewStore(Config{
		Dir: filepath.Join(
			b.root,
			"http",
		), RecipeDir: filepath.Join(b.root, "recipes"), PrivateDir: filepath.Join(b.root, "state/images"), Mirrors: mirrors,
		Report: func(e Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if e.Step != "" {
				b.steps = append(b.steps, e.Step)
			}
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.fetch.wait, b.fetch.stall = time.Millisecond, 200*time.Millisecond
}

// said reports whether the text was in a reported step.
func (b *bench) said(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(strings.Join(b.steps, "\n"), text)
}

func (b *bench) add(o Order) Installed {
	b.t.Helper()
	in, err := b.Add(context.Background(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return in
}

// fails adds an image that cannot be added, for that cause, and looks that nothing came of it.
func (b *bench) fails(o Order, cause error, text string) {
	b.t.Helper()
	before := b.served()
	_, err := b.Add(context.Background(), o)
	if !errors.Is(err, cause) {
		b.t.Fatalf("error %v, want %v", err, cause)
	}
	if !strings.Contains(err.Error(), text) {
		b.t.Errorf("the error does not say %q: %v", text, err)
	}
	if after := b.served(); after != before {
		b.t.Errorf("served before:\n%s\nafter:\n%s", before, after)
	}
	if left, _ := os.ReadDir(b.own(newDir)); len(left) > 0 {
		b.t.Errorf("%d folders are left where images are made", len(left))
	}
}

// served lists the files that machines can fetch, with their lengths.
func (b *bench) served() string {
	var out strings.Builder
	filepath.WalkDir(b.Dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(b.Dir, p)
		if err != nil || Private(rel) && d.IsDir() {
			return fs.SkipDir
		}
		if !d.IsDir() && !Private(rel) {
			text, _ := os.ReadFile(p)
			out.WriteString(rel + " " + imagetest.Sum("md5", text) + "\n")
		}
		return nil
	})
	return out.String()
}

func (b *bench) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.root, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// items are the menu's, as lines.
func (b *bench) items() []string {
	b.t.Helper()
	var out []string
	for _, img := range find(b.t, b.finder).Images {
		out = append(out, line(img))
	}
	return out
}
