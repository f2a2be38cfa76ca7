package agent

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/menu"
)

// The metric follows what a person does to the template, with no machine asking.
func TestMenuMetric(t *testing.T) {
	root := t.TempDir()
	cat, err := catalog.New(catalog.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	menus, err := menu.New(menu.Config{Base: menu.Base(netip.MustParseAddrPort("10.0.0.7:80")), Catalog: cat})
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(menuOK(menus))
	gauge := func() float64 {
		t.Helper()
		all, err := reg.Gather()
		if err != nil || len(all) != 1 {
			t.Fatal(err, all)
		}
		return all[0].GetMetric()[0].GetGauge().GetValue()
	}
	file := filepath.Join(root, "http", filepath.FromSlash(menu.TemplateFile))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what, text string
		want       float64
	}{{"a good template", menu.Template, 1}, {"a broken one", "#!ipxe\n{{.Titel}}", 0}, {"put right", menu.Template, 1}} {
		if err := os.WriteFile(file, []byte(step.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := gauge(); got != step.want {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
	}
	menus.Configure(menu.Settings{Default: "gone"})
	if got := gauge(); got != 0 {
		t.Errorf("a default that is not there: %v", got)
	}
}

// The menu of a machine is found without an agent that runs.
func TestMachineMenu(t *testing.T) {
	c := Config{
		Root:  t.TempDir(),
		State: t.TempDir(),
		Log:   slog.New(slog.DiscardHandler),
		Menu:  menu.Settings{Title: "Rack 7"},
		Places: []Place{
			{NextServer: netip.MustParseAddr("10.0.0.7"), Base: menu.Base(netip.MustParseAddrPort("10.0.0.7:80"))},
		},
	}
	m, err := MachineMenu(c, "ipxe", boot.Facts{Platform: "efi", Arch: "x86_64"}, netip.Addr{})
	if err != nil || m.Err != nil || m.Title != "Rack 7" || m.Default != catalog.Local ||
		!strings.Contains(string(m.Script), "\nset base http://10.0.0.7\n") {
		t.Errorf("%v, %v, %+v\n%s", err, m.Err, m.Items, m.Script)
	}
	c.Root = filepath.Join(c.Root, "none")
	if _, err := MachineMenu(c, "ipxe", boot.Facts{}, netip.Addr{}); err == nil {
		t.Error("no root, and no error")
	}
}
