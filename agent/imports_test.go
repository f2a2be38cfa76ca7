package agent_test

import (
	"errors"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed says which of this module's packages each may import, and why where it is not plain from the
// names. A backend imports agent/dhcp and agent/firmware alone; nothing but cmd imports a backend.
var allowed = map[string][]string{
	"cmd/pxeagent": {
		"agent", "agent/boot", "agent/catalog", "agent/check", "agent/dhcp", "agent/efi", "agent/files", "agent/firmware",
		"agent/guard", "agent/image", "agent/ipxe",
		"agent/machine", "agent/menu", "agent/probe", "agent/recorder", "agent/script", "agent/secureboot", "agent/store",
		"agent/tftp", "agent/watch", "agent/web", "cmd/pxeagent/backend", "cmd/pxeagent/cli", "cmd/pxeagent/config",
	},
	// The only package besides the backends' own that knows any of them.
	"cmd/pxeagent/backend": {
		"agent/dhcp", "agent/dhcp/remote", "agent/ipxe", "cmd/pxeagent/cli", "cmd/pxeagent/config", "dnsmasq",
		"dnsmasq/dnsmasqtest",
		"dnsmasq/openwrt", "dnsmasq/openwrt/openwrttest", "dnsmasq/opnsense",
		"dnsmasq/opnsense/opnsensetest", "dnsmasq/pihole", "dnsmasq/pihole/piholetest", "pfsense",
		"pfsense/pfsensetest",
	},
	// Values of the configuration have the types of the parts that they are for.
	"cmd/pxeagent/config": {
		"agent/boot", "agent/catalog", "agent/dhcp", "agent/firmware", "agent/image", "agent/ipxe", "agent/machine",
		"agent/menu", "agent/script", "agent/secureboot", "cmd/pxeagent/cli",
	},
	// What commands, configuration and backends say to a terminal and to scripts.
	"cmd/pxeagent/cli": {},
	"agent": {
		"agent/boot", "agent/catalog", "agent/files", "agent/firmware", "agent/guard", "agent/image", "agent/ipxe",
		"agent/logging", "agent/machine",
		"agent/menu", "agent/neighbour", "agent/recorder", "agent/tftp", "agent/watch", "agent/web",
	},
	// Lines are bounded whatever they are about.
	"agent/logging":  {},
	"agent/guard":    {},
	"agent/boot":     {},
	"agent/durable":  {},
	"agent/efi":      {},
	"agent/firmware": {},
	// Clients and offers are the model's.
	"agent/dhcp": {"agent/durable", "agent/firmware"},
	// What backends that ask a server over the network have in common.
	"agent/dhcp/remote": {"agent/dhcp"},
	// The conformance suite is imported by backends' tests only.
	"agent/dhcp/dhcptest": {"agent/dhcp", "agent/dhcp/remote", "agent/firmware", "agent/probe"},
	"agent/probe":         {"agent/dhcp", "agent/firmware", "agent/guard"},
	// check fetches what a boot configuration names, and calls files what the servers call them.
	"agent/check": {
		"agent/boot",
		"agent/dhcp",
		"agent/efi",
		"agent/firmware",
		"agent/guard",
		"agent/menu",
		"agent/probe",
		"agent/script",
		"agent/secureboot",
	},
	"agent/script": {},
	// The store is the recorder's: it keeps boots.
	"agent/recorder": {"agent/boot", "agent/guard", "agent/store"},
	"agent/store":    {"agent/boot", "agent/durable", "agent/guard"},
	"agent/tftp":     {"agent/boot", "agent/guard"},
	"agent/watch": {
		"agent/check",
		"agent/dhcp",
		"agent/firmware",
		"agent/guard",
		"agent/ipxe",
		"agent/logging",
		"agent/menu",
		"agent/probe",
	},
	"agent/web": {
		"agent/boot",
		"agent/catalog",
		"agent/files",
		"agent/guard",
		"agent/ipxe",
		"agent/machine",
		"agent/menu",
		"agent/watch",
	},
	"agent/ipxe": {"agent/firmware", "agent/script"},
	// A request is answered by the kind of asker (agent/boot); what lies in the trees may be private to images.
	"agent/files": {
		"agent/boot",
		"agent/catalog",
		"agent/efi",
		"agent/firmware",
		"agent/image",
		"agent/ipxe",
		"agent/logging",
		"agent/menu",
		"agent/script",
		"agent/secureboot",
	},
	"agent/menu":    {"agent/boot", "agent/catalog", "agent/machine", "agent/script"},
	"agent/catalog": {"agent/boot", "agent/image", "agent/script", "agent/version"},
	"agent/image":   {"agent/durable", "agent/guard", "agent/secureboot", "agent/version"},
	// The stand-in mirror is imported by tests only, and knows nothing of ours.
	"agent/image/imagetest": {},
	// Machines are known by what they told, which is in agent/boot.
	"agent/machine":   {"agent/boot", "agent/catalog", "agent/durable", "agent/logging", "agent/version"},
	"agent/neighbour": {},
	// Signing is of programs that are EFI's.
	"agent/secureboot": {"agent/efi"},
	"agent/version":    {},
	"dnsmasq":          {"agent/dhcp", "agent/durable", "agent/firmware"},
	"pfsense":          {"agent/dhcp", "agent/dhcp/remote", "agent/firmware"},
	"dnsmasq/opnsense": {"agent/dhcp", "agent/dhcp/remote", "agent/firmware", "dnsmasq"},
	"dnsmasq/pihole":   {"agent/dhcp", "agent/dhcp/remote", "dnsmasq"},
	// Stand-ins know nothing of the backends but what a Dnsmasq answers.
	"dnsmasq/dnsmasqtest":           {},
	"dnsmasq/openwrt":               {"agent/dhcp", "agent/dhcp/remote", "dnsmasq"},
	"dnsmasq/openwrt/openwrttest":   {"dnsmasq/dnsmasqtest"},
	"dnsmasq/opnsense/opnsensetest": {"dnsmasq/dnsmasqtest"},
	"dnsmasq/pihole/piholetest":     {"dnsmasq/dnsmasqtest"},
	// The stand-in firewall speaks to the backend over HTTPS alone.
	"pfsense/pfsensetest": {},
	"deploy/grafana":      {},
	"deploy/release":      {},
	"deploy/container":    {},
	"deploy/lab":          {},
	"deploy/lab/site":     {"deploy/lab"},
	"deploy/lab/boots":    {},
	// The benchmark runs the program itself beside others.
	"deploy/lab/bench": {"deploy/lab/flood"},
	"deploy/lab/flood": {},
}

// stdOnly are the packages that import nothing but the standard library.
var stdOnly = []string{"agent/boot", "agent/durable", "agent/efi", "agent/firmware"}

// TestImportsPointOneWay holds the table against the tree: every package is in it once, imports what it may, and may
// no more than that.
func TestImportsPointOneWay(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	found := ourImports(t, root)
	for name, imports := range found {
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s is not in the table: say there what it may import", name)
			continue
		}
		for _, imp := range imports {
			if !slices.Contains(may, imp) {
				t.Errorf("%s imports %s, which the table does not allow", name, imp)
			}
		}
		for _, m := range may {
			if !slices.Contains(imports, m) {
				t.Errorf("the table lets %s import %s, which it does not", name, m)
			}
		}
	}
	for name := range allowed {
		if _, there := found[name]; !there {
			t.Errorf("the table has package %s, which is gone", name)
		}
	}
}

// ourImports are this module's packages that have code besides tests, and which of this module's each imports on any
// platform.
func ourImports(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); strings.HasPrefix(name, ".") || name == "testdata" {
			return filepath.SkipDir
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(os.PathSeparator)))
		for _, goos := range []string{"linux", "freebsd"} {
			ctx := build.Default
			ctx.GOOS, ctx.CgoEnabled = goos, false
			pkg, err := ctx.ImportDir(path, 0)
			var none *build.NoGoError
			switch {
			case errors.As(err, &none):
				continue
			case err != nil:
				return err
			case len(pkg.GoFiles) == 0:
				continue
			}
			checkOthers(t, name, pkg)
			all := found[name]
			for _, imp := range pkg.Imports {
				if ours, is := strings.CutPrefix(imp, "pxeagent/"); is && !slices.Contains(all, ours) {
					all = append(all, ours)
				}
			}
			found[name] = all
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// checkOthers checks what a package imports of other modules.
func checkOthers(t *testing.T, name string, pkg *build.Package) {
	t.Helper()
	for _, imp := range pkg.Imports {
		host, _, _ := strings.Cut(imp, "/")
		if slices.Contains(stdOnly, name) && strings.Contains(host, ".") {
			t.Errorf("%s imports %s: it uses the standard library only", name, imp)
		}
		if imp == "github.com/spf13/viper" && !onlyIn(pkg, imp, "load.go") {
			t.Errorf("%s imports viper outside cmd/pxeagent/config/load.go", name)
		}
	}
}

// onlyIn reports whether imp is imported by the named file alone, which must be cmd/pxeagent/config's.
func onlyIn(pkg *build.Package, imp, file string) bool {
	for _, pos := range pkg.ImportPos[imp] {
		if filepath.Base(pos.Filename) != file || filepath.Base(pkg.Dir) != "config" {
			return false
		}
	}
	return true
}
