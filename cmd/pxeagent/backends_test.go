package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/backend"
)

// knowBackends may import a DHCP server's package and go by its name.
var knowBackends = []string{"pfsense", "dnsmasq", "deploy", "cmd/pxeagent/backend"}

// Nothing else imports a backend, has a text that is nothing but its name or one of its keys, or an identifier that
// is its name, which is what code branches by. Remedies and comments may name products.
func TestNothingElseNamesABackend(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range backend.Table() {
		names = append(names, string(b.Name))
	}
	read := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir(), !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		case slices.ContainsFunc(knowBackends, func(dir string) bool { return strings.HasPrefix(rel, dir+"/") }):
			return nil
		}
		read++
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && slices.ContainsFunc(names, func(name string) bool {
				return strings.EqualFold(id.Name, name)
			}) {
				t.Errorf("%s: %s", files.Position(id.Pos()), id.Name)
			}
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			s, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				key, isKey := strings.CutPrefix(s, "dhcp."+name+".")
				imports := s == "pxeagent/"+name || strings.HasPrefix(s, "pxeagent/"+name+"/")
				if strings.EqualFold(s, name) || imports || isKey && !strings.Contains(key, " ") {
					t.Errorf("%s: %s", files.Position(text.Pos()), text.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 100 {
		t.Errorf("only %d files were read: the tree has moved", read)
	}
}
