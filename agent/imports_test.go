package agent_test

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed says which of this module's packages each may import, and why where it is not plain from the
// names. A backend imports agent/dhcp and no other; nothing but cmd imports a backend.
var allowed = map[string][]string{
	"cmd/pxeagent": {"agent", "agent/boot", "agent/check", "agent/dhcp", "agent/image", "agent/ipxe", "agent/machine", "agent/probe", "agent/store", "agent/tftp", "agent/web", "dnsmasq", "pfsense", "pfsense/pfsensetest"},
	"agent":        {"agent/boot", "agent/check", "agent/dhcp", "agent/image", "agent/ipxe", "agent/machine", "agent/probe", "agent/store", "agent/tftp", "agent/web"},
	"agent/boot":   {},
	"agent/dhcp":   {},
	// The conformance suite is imported by backends' tests only.
	"agent/dhcp/dhcptest": {"agent/dhcp"},
	"agent/probe":         {"agent/dhcp"},
	// check fetches what a boot configuration names, and calls files what the servers call them.
	"agent/check": {"agent/boot", "agent/dhcp", "agent/ipxe", "agent/probe"},
	"agent/store": {"agent/boot"},
	"agent/tftp":  {"agent/boot", "agent/ipxe"},
	"agent/web":   {"agent/boot", "agent/image", "agent/ipxe", "agent/machine"},
	// The library answers by the kind of asker, and its menu lists the images.
	"agent/ipxe":  {"agent/boot", "agent/image"},
	"agent/image": {"agent/version"},
	// The stand-in mirror is imported by tests only, and knows nothing of ours.
	"agent/image/imagetest": {},
	// Machines are known by what they told, which is in agent/boot.
	"agent/machine": {"agent/boot", "agent/version"},
	"agent/version": {},
	"dnsmasq":       {"agent/dhcp"},
	"pfsense":       {"agent/dhcp"},
	// The stand-in firewall speaks to the backend over HTTPS alone.
	"pfsense/pfsensetest": {},
	"deploy/grafana":      {},
	"deploy/lab":          {},
	"deploy/lab/site":     {"deploy/lab"},
	"deploy/lab/boots":    {},
	// The benchmark runs our server beside others.
	"deploy/lab/tftpbench": {"agent/boot", "agent/tftp", "deploy/lab"},
}

// stdOnly are the packages that import nothing but the standard library.
var stdOnly = []string{"agent/dhcp", "agent/boot"}

func TestImportsPointOneWay(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".") || name == "testdata" {
			return filepath.SkipDir
		}
		// Every platform's files count, so the directory is read once for each.
		for _, goos := range []string{"linux", "freebsd"} {
			ctx := build.Default
			ctx.GOOS, ctx.CgoEnabled = goos, false
			pkg, err := ctx.ImportDir(path, 0)
			if err != nil {
				if _, none := err.(*build.NoGoError); none {
					continue
				}
				return err
			}
			seen++
			checkImports(t, filepath.ToSlash(strings.TrimPrefix(path, root+string(os.PathSeparator))), pkg)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < len(allowed) {
		t.Errorf("only %d packages were read; the tree has moved", seen)
	}
}

func checkImports(t *testing.T, name string, pkg *build.Package) {
	t.Helper()
	if len(pkg.GoFiles) == 0 {
		return
	}
	may, known := allowed[name]
	if !known {
		t.Errorf("package %s is not in the table: say there what it may import", name)
		return
	}
	for _, imp := range pkg.Imports {
		ours, is := strings.CutPrefix(imp, "pxeagent/")
		switch {
		case is && !slices.Contains(may, ours):
			t.Errorf("%s imports %s, which the table does not allow", name, ours)
		case !is && slices.Contains(stdOnly, name) && strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
			t.Errorf("%s imports %s: it uses the standard library only", name, imp)
		}
		if imp == "github.com/spf13/viper" && !onlyIn(pkg, imp, "config.go") {
			t.Errorf("%s imports viper outside cmd/pxeagent/config.go", name)
		}
	}
}

// onlyIn reports whether imp is imported by the named file alone, which must be cmd/pxeagent's.
func onlyIn(pkg *build.Package, imp, file string) bool {
	for _, pos := range pkg.ImportPos[imp] {
		if filepath.Base(pos.Filename) != file || filepath.Base(pkg.Dir) != "pxeagent" {
			return false
		}
	}
	return true
}
