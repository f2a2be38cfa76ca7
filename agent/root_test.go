package agent_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The agent is not ready while its root is away, in whatever way, and ready again when it is back.
func TestReadyOnlyWithTheRoot(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, nil)
	file := filepath.Join(r.root, "http/a.cfg")
	must(os.WriteFile(file, []byte("a"), 0o644))
	ready := func(what string, want int, says string) {
		t.Helper()
		if code, body := r.get("/readyz", "curl/8"); code != want || !strings.Contains(body, says) {
			t.Errorf("%s: %d, %q; want %d, %q", what, code, body, want, says)
		}
	}
	away := r.root + ".away"
	ready("at first", http.StatusOK, "ok\n")

	must(os.Rename(r.root, away))
	ready("moved", http.StatusServiceUnavailable, "serve.root: open")
	must(os.Mkdir(r.root, 0o755))
	ready("replaced by an empty folder, as when it is unmounted", http.StatusServiceUnavailable, "serve.root: ")
	must(os.Remove(r.root))
	must(os.WriteFile(r.root, nil, 0o644))
	ready("replaced by a file", http.StatusServiceUnavailable, "serve.root: ")
	must(os.Remove(r.root))
	must(os.Rename(away, r.root))
	ready("back", http.StatusOK, "ok\n")
	if code, body := r.get("/a.cfg", "curl/8"); code != http.StatusOK || body != "a" {
		t.Errorf("its file: %d, %q", code, body)
	}

	tree := filepath.Join(r.root, "http")
	must(os.Rename(tree, away))
	ready("a tree moved", http.StatusServiceUnavailable, "http")
	must(os.Mkdir(tree, 0o755))
	ready("a tree unmounted", http.StatusServiceUnavailable, "is another folder than before, and empty")
	must(os.Remove(tree))
	must(os.Rename(away, tree))
	ready("the tree back", http.StatusOK, "ok\n")

	must(os.Remove(file))
	ready("the last file removed", http.StatusOK, "ok\n")
	must(os.WriteFile(file, []byte("a"), 0o644))
	ready("a file again", http.StatusOK, "ok\n")

	must(os.Rename(r.root, away))
	must(os.MkdirAll(filepath.Join(r.root, "tftp"), 0o755))
	must(os.MkdirAll(filepath.Join(r.root, "http"), 0o755))
	must(os.WriteFile(file, []byte("b"), 0o644))
	ready("another version of it, with files", http.StatusOK, "ok\n")
	if code, body := r.get("/a.cfg", "curl/8"); code != http.StatusOK || body != "b" {
		t.Errorf("its file: %d, %q", code, body)
	}
}
