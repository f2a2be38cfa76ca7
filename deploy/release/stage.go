package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// files are those that go into archives and packages as they lie in the sources, by their name there.
var files = map[string]string{
	"LICENSE":                       "LICENSE",
	"NOTICE":                        "NOTICE",
	"README.md":                     "README.md",
	"pxeagent.example.yaml":         "deploy/pxeagent.example.yaml",
	"systemd/pxeagent.service":      "deploy/systemd/pxeagent.service",
	"systemd/pxeagent.socket":       "deploy/systemd/pxeagent.socket",
	"systemd/pxeagent.sysusers":     "deploy/systemd/pxeagent.sysusers.conf",
	"systemd/pxeagent.tmpfiles":     "deploy/systemd/pxeagent.tmpfiles.conf",
	"rc.d/pxeagent":                 "deploy/freebsd/pxeagent",
	"grafana/pxeagent.json":         "deploy/grafana/pxeagent.json",
	"prometheus/pxeagent.rules.yml": "deploy/prometheus/rules.yaml",
}

// stage gathers in dir what all platforms have in common, as archives have it: the files, the guides, and the man pages
// and completions made from the commands. What only packages want is in dir/.packages.
func (r *release) stage(ctx context.Context, dir string) error {
	for to, from := range files {
		if err := copyFile(filepath.Join(dir, to), filepath.Join(r.source, from)); err != nil {
			return err
		}
	}
	guides, err := filepath.Glob(filepath.Join(r.source, "deploy/guide/*.md"))
	if err != nil {
		return err
	}
	for _, g := range guides {
		if err := copyFile(filepath.Join(dir, "guide", filepath.Base(g)), g); err != nil {
			return err
		}
	}
	if err := r.goTool(ctx, []string{"CGO_ENABLED=0"}, "run", "-tags", "docs", "./cmd/pxeagent", dir); err != nil {
		return err
	}
	for _, name := range []string{"copyright", "lintian-overrides", "postinst", "postrm", "prerm"} {
		from := filepath.Join(r.source, "deploy/packages", name)
		if err := copyFile(filepath.Join(dir, forPackages, name), from); err != nil {
			return err
		}
	}
	return r.stagePackages(dir, filepath.Join(dir, forPackages))
}

// forPackages is the folder of what packages have in another form than archives.
const forPackages = ".packages"

// stagePackages makes the unit with the path of a packaged program, and compresses what Debian wants compressed.
func (r *release) stagePackages(shared, dir string) error {
	unit, err := os.ReadFile(filepath.Join(shared, "systemd/pxeagent.service"))
	if err != nil {
		return err
	}
	// The lines at the top say how to install it by hand.
	_, unitText, found := strings.Cut(string(unit), "\n\n")
	if !found || !strings.Contains(unitText, "=/usr/local/bin/pxeagent ") {
		return fmt.Errorf("deploy/systemd/pxeagent.service: want a comment at the top, then /usr/local/bin/pxeagent")
	}
	unitText = strings.ReplaceAll(unitText, "=/usr/local/bin/pxeagent ", "=/usr/bin/pxeagent ")
	if err := writeFile(filepath.Join(dir, "pxeagent.service"), []byte(unitText)); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(shared, "man/*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		if err := writeCompressed(filepath.Join(dir, "man", filepath.Base(page)+".gz"), text); err != nil {
			return err
		}
	}
	const entry = "pxeagent (%s) unstable; urgency=medium\n\n  * Release %s, of commit %.12s.\n\n -- %s  %s\n"
	date := r.date.Format("Mon, 02 Jan 2006 15:04:05 -0700")
	changes := fmt.Sprintf(entry, debianVersion(r.version), r.version, r.commit, r.maintainer, date)
	return writeCompressed(filepath.Join(dir, "changelog.gz"), []byte(changes))
}

// writeCompressed writes a gzip file.
func writeCompressed(path string, text []byte) error {
	b, err := compressed(text)
	if err != nil {
		return err
	}
	return writeFile(path, b)
}

// compressed is text in gzip's format, without name and time.
func compressed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, b)
}

func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
