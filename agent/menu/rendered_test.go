package menu

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/machine"
)

// settled gives all that is below the root a time at which nobody has written there.
func (s *site) settled(at time.Time) {
	s.t.Helper()
	err := filepath.Walk(s.root, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, time.Time{}, at)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Machines that have the same menu are given the very same bytes, until something changes.
func TestMenuIsRenderedOncePerChange(t *testing.T) {
	old := time.Unix(1e9, 0)
	choices := map[string]machine.Choice{
		"10.0.0.1": {Host: "a", Profile: "rack", Why: []string{"as host a"}},
		"10.0.0.2": {Host: "b", Profile: "rack", Why: []string{"as host b"}},
		"10.0.0.3": {Host: "c", Profile: "other"},
	}
	s := newSite(t, Config{Settings: Settings{Title: "Rack 7"}, Choose: func(_ boot.Facts, a netip.Addr) machine.Choice {
		return choices[a.String()]
	}})
	s.put("http/ipxe/menu.d/x.ipxe", "#!ipxe\n# title: X\n")
	s.settled(old)
	made := func(f boot.Facts, from string) []byte {
		t.Helper()
		text, d, err := s.made(f, netip.MustParseAddr(from))
		if err != nil {
			t.Fatal(err)
		}
		if d.Facts != f || d.Choice.Host != choices[from].Host {
			t.Errorf("the menu of %s is said to be that of %+v, %+v", from, d.Facts, d.Choice)
		}
		return text
	}
	same := func(a, b []byte) bool { return &a[0] == &b[0] }
	other := boot.Facts{MAC: "52:54:00:00:00:99", Serial: "99", Platform: bios.Platform, Arch: bios.Arch}

	first := made(bios, "10.0.0.1")
	if !same(first, made(other, "10.0.0.2")) {
		t.Error("rendered again for a machine of the same profile")
	}
	for what, text := range map[string][]byte{
		"another platform": made(uefi, "10.0.0.1"), "another profile": made(bios, "10.0.0.3"),
		"no profile": made(bios, "10.0.0.4"), "a machine that tells nothing": made(boot.Facts{}, "10.0.0.1"),
	} {
		if same(first, text) {
			t.Errorf("%s has the same menu", what)
		}
	}
	if text := string(made(bios, "10.0.0.3")); !strings.Contains(text, "profile other") {
		t.Errorf("the menu of another profile:\n%s", text)
	}

	s.put("http/ipxe/menu.d/x.ipxe", "#!ipxe\n# title: Y\n")
	s.settled(old.Add(time.Second))
	if text := string(made(bios, "10.0.0.1")); !strings.Contains(text, "Y") {
		t.Errorf("the script's new title is not in the menu:\n%s", text)
	}
	s.Configure(Settings{Title: "Rack 8"})
	if text := string(made(bios, "10.0.0.1")); !strings.Contains(text, "menu Rack 8") {
		t.Errorf("the new title is not in the menu:\n%s", text)
	}
	s.put("http/"+TemplateFile, "#!ipxe\necho {{.Facts.Serial}}\n")
	s.settled(old.Add(2 * time.Second))
	for _, serial := range []string{"1", "2"} {
		f := bios
		f.Serial = serial
		if text := string(made(f, "10.0.0.1")); !strings.Contains(text, "echo "+serial) {
			t.Errorf("the menu by a template of the user's for serial %s:\n%s", serial, text)
		}
	}
	for n := range 3 * maxRendered {
		f := bios
		f.Arch = strings.Repeat("x", n+1)
		made(f, "10.0.0.1")
	}
	if err := os.Remove(filepath.Join(s.root, "http", TemplateFile)); err != nil {
		t.Fatal(err)
	}
	for n := range 3 * maxRendered {
		f := bios
		f.Arch = strings.Repeat("x", n+1)
		made(f, "10.0.0.1")
		if len(s.rendered) > maxRendered {
			t.Fatalf("%d menus are kept", len(s.rendered))
		}
	}
}
