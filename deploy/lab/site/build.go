// Package site is a network for tests, with one server in it that runs pxeagent as a person does: the command itself,
// beside Dnsmasq.
package site

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Main runs a package's tests, removes what Binary built, and returns the exit code. It is for TestMain. As sites wait
// more than they work, that many parallel tests run at a time, however few processors there are; -parallel on the
// command line comes later and wins.
func Main(m *testing.M, parallel int) int {
	_ = flag.Set("test.parallel", strconv.Itoa(parallel))
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	return code
}

// built is the folder that Binary made, if a test wanted it.
var built string

// Binary is the path of pxeagent, built once for all tests of a process.
var Binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pxeagent-test-")
	if err != nil {
		return "", err
	}
	built = dir
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "pxeagent").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the sources of pxeagent: %w", err)
	}
	if err := look(strings.TrimSpace(string(root))); err != nil {
		return "", fmt.Errorf("looking at the sources of pxeagent: %w", err)
	}
	path := filepath.Join(dir, "pxeagent")
	if out, err := exec.Command("go", "build", "-o", path, "pxeagent/cmd/pxeagent").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pxeagent: %w: %s", err, out)
	}
	return path, nil
})

// look reads the folders that hold sources. `go test` takes an old result for a new one until a file or a folder
// changes that the test itself looked at; that the sources were compiled by another process it does not see.
func look(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "deploy" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		return err
	})
}
