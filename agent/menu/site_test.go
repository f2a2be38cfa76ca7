package menu

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// site is a root folder and what makes the menus of it.
type site struct {
	*Builder
	t    testing.TB
	root string
	log  *bytes.Buffer
}

// newSite sets of c what is not set.
func newSite(t testing.TB, c Config) *site {
	t.Helper()
	s := &site{t: t, root: t.TempDir(), log: &bytes.Buffer{}}
	c.Log = slog.New(slog.NewTextHandler(s.log, nil))
	if c.Base == nil {
		c.Base = Base(netip.MustParseAddrPort("10.0.0.7:8080"))
	}
	var err, wrong error
	c.Catalog, err = catalog.New(catalog.Config{Root: s.root, NoRescue: c.Settings.NoRescue, Log: c.Log})
	s.Builder, wrong = New(c)
	if err = errors.Join(err, wrong); err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes a file below the root.
func (s *site) put(name, text string) {
	s.t.Helper()
	p := filepath.Join(s.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

// ask is what is made for a request.
func (s *site) ask(a boot.Ask) string {
	s.t.Helper()
	text, _, err := s.Bootstrap(a)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// script is the menu of a machine that tells nothing.
func (s *site) script() string { return s.ask(boot.Ask{}) }
