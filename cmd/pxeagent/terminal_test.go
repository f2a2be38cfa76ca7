package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"pxeagent/agent/check"
	"pxeagent/agent/firmware"
	"pxeagent/agent/recorder"
	"pxeagent/cmd/pxeagent/cli"
)

// steering is text that turns a terminal's colours, its title and the direction of its text, and begins a line.
const steering = "x\x1b[31m\x1b]0;t\x07\r\u009b5m\u202eevil\u2066\nhint: y\x00"

// wantText fails t if text does anything to a terminal.
func wantText(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			t.Fatalf("%s: %U in %q", what, r, text)
		}
	}
	if !strings.Contains(text, "evil") {
		t.Errorf("%s does not show the text at all: %q", what, text)
	}
}

// A daemon that answers commands with what a machine has made of its names.
func TestBootsOfAHostileMachine(t *testing.T) {
	dir, err := os.MkdirTemp("", "steer") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, recorder.ControlFile))
	if err != nil {
		t.Fatal(err)
	}
	b := map[string]any{"id": steering, "mac": steering, "host": steering, "profile": steering, "item": steering,
		"arch": steering, "firmware": steering,
		"file": steering, "note": steering, "at": steering, "result": steering, "addr": "10.0.0.9", "fetching": steering,
		"facts":  map[string]any{"manufacturer": steering, "product": steering, "serial": steering, "uuid": steering},
		"stages": []any{map[string]any{"stage": steering}},
		"files":  []any{map[string]any{"name": steering, "class": steering, "outcome": steering}}}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v any = map[string]any{"boots": []any{b}}
		if strings.Count(r.URL.Path, "/") > 3 {
			v = b
		}
		_ = json.NewEncoder(w).Encode(v)
	})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	for _, args := range [][]string{{"boots"}, {"boots", "--json"}, {"boots", "show", "x"},
		{"boots", "show", "x", "--json"}} {
		var stdout, stderr bytes.Buffer
		code := run(append(args, "--state-dir", dir), &stdout, &stderr)
		if code != cli.Done {
			t.Errorf("%q ends with %v: %s", args, code, &stderr)
		}
		wantText(t, strings.Join(args, " "), stdout.String())
	}
}

func TestErrorsAndStepsOfHostileServers(t *testing.T) {
	var out bytes.Buffer
	w := cli.NewPrintable(&out)
	printStep(w, check.Step{Client: firmware.ClientBIOS, Stage: "nbp", What: steering, Text: steering})
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("a step is one line: %q", out.String())
	}
	wantText(t, "a step", out.String())
	out.Reset()
	cli.Failure{Code: cli.Unexpected, Err: &fs.PathError{Op: "open", Path: steering, Err: fs.ErrNotExist}}.Print(w)
	wantText(t, "an error", out.String())
}

// Everything is printed by way of app: no file but a main function's names the process's own streams, so that nothing
// is forgotten.
func TestOnlyMainKnowsTheTerminal(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		isMain := path == "main.go" || path == "docs.go" // docs.go is a program of its own, which makes man pages
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || isMain {
			return err
		}
		files++
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			x, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			p, ok := x.X.(*ast.Ident)
			printed := ok && p.Name == "fmt" && (x.Sel.Name == "Print" || x.Sel.Name == "Println" || x.Sel.Name == "Printf")
			if printed || ok && p.Name == "os" && (x.Sel.Name == "Stdout" || x.Sel.Name == "Stderr") {
				t.Errorf("%s: %s.%s", set.Position(n.Pos()), p.Name, x.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil || files < 30 {
		t.Errorf("%d files, %v", files, err)
	}
}
