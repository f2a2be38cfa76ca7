package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tree is a whole configuration as Dnsmasq reads it: its arguments and every file that they include.
type tree struct {
	lines  []directive // in the order in which Dnsmasq applies them
	own    int         // index in lines of the drop-in's first line; -1: it is not read
	dirs   []string    // the folders of every conf-dir, as written
	unread []string    // what could not be followed: "conf-script=/etc/x at /etc/dnsmasq.conf:3"
}

// reader reads a tree with the new drop-in in place of the current one.
type reader struct {
	tree
	dir, name string // the drop-in
	raw       []byte // its text; nil: as if it did not exist
	visited   []fs.FileInfo
}

// readTree follows args, the daemon's command line, or mainFile if they name no file.
func readTree(args []string, mainFile, dropIn string, raw []byte) (tree, error) {
	r := reader{tree: tree{own: -1}, dir: filepath.Dir(dropIn), name: filepath.Base(dropIn), raw: raw}
	first := mainFile
	for _, d := range parseArgs(args) {
		if d.name == "conf-file" && first == mainFile && d.value != "" {
			// The first file named is read last, after all other arguments.
			first = d.value
			continue
		}
		if err := r.take(d); err != nil {
			return tree{}, err
		}
	}
	err := r.readFile(first)
	if first == mainFile && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return r.tree, err
}

func (r *reader) take(d directive) error {
	r.lines = append(r.lines, d)
	switch d.name {
	case "conf-file":
		if d.value == "" || d.value == "-" {
			r.unread = append(r.unread, d.where())
			return nil
		}
		return r.readFile(d.value)
	case "conf-script":
		r.unread = append(r.unread, d.where())
	case "conf-dir":
		if len(d.fields) > 0 {
			return r.readDir(d.fields[0], d.fields[1:])
		}
	}
	return nil
}

func (r *reader) readFile(path string) error {
	path = absolute(path)
	if r.raw != nil && r.isOwn(path) {
		if r.own < 0 {
			r.own = len(r.lines)
			return r.takeAll(path, string(r.raw))
		}
		return nil
	}
	fi, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading Dnsmasq's configuration: %w", err)
	}
	for _, v := range r.visited {
		// Dnsmasq reads a file once, even if it is included by several names.
		if os.SameFile(v, fi) {
			return nil
		}
	}
	r.visited = append(r.visited, fi)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		r.unread = append(r.unread, path)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Dnsmasq's configuration: %w", err)
	}
	return r.takeAll(path, string(text))
}

func (r *reader) takeAll(path, text string) error {
	for d := range directives(path, text) {
		if err := r.take(d); err != nil {
			return err
		}
	}
	return nil
}

// readDir reads a folder's files in the order of their names.
func (r *reader) readDir(dir string, suffixes []string) error {
	r.dirs = append(r.dirs, dir)
	dir = absolute(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading Dnsmasq's configuration: %w", err)
	}
	own := sameFile(dir, r.dir)
	pending := own && r.raw != nil
	for _, e := range entries {
		name := e.Name()
		if pending && name >= r.name {
			if err := r.readOwn(suffixes); err != nil {
				return err
			}
			pending = false
		}
		path := filepath.Join(dir, name)
		if (own && name == r.name) || !accepts(name, suffixes) {
			continue
		}
		if fi, err := os.Stat(path); err == nil && !fi.Mode().IsRegular() {
			continue
		}
		if err := r.readFile(path); err != nil {
			return err
		}
	}
	if pending {
		return r.readOwn(suffixes)
	}
	return nil
}

func (r *reader) readOwn(suffixes []string) error {
	if !accepts(r.name, suffixes) {
		return nil
	}
	return r.readFile(filepath.Join(r.dir, r.name))
}

func (r *reader) isOwn(path string) bool {
	return filepath.Base(path) == r.name && sameFile(filepath.Dir(path), r.dir)
}

// accepts reports whether conf-dir=DIR,suffixes… reads a file of that name: one with a * must be the
// end of the name, one without must not.
func accepts(name string, suffixes []string) bool {
	if name == "" || name[0] == '.' || strings.HasSuffix(name, "~") || (name[0] == '#' && strings.HasSuffix(name, "#")) {
		return false
	}
	wanted, found := false, false
	for _, s := range suffixes {
		if s == "" || s == "*" {
			continue
		}
		end, want := strings.CutPrefix(s, "*")
		match := len(name) > len(end) && strings.HasSuffix(name, end)
		switch {
		case want:
			wanted, found = true, found || match
		case match:
			return false
		}
	}
	return !wanted || found
}

// where names a directive for people: "dhcp-boot=x (/etc/dnsmasq.conf:3)".
func (d directive) where() string {
	said := d.name
	if d.value != "" {
		said += "=" + d.value
	}
	switch {
	case d.file == "":
		return said + " (Dnsmasq's command line)"
	case d.line == 0:
		return said + " (" + d.file + ")"
	}
	return fmt.Sprintf("%s (%s:%d)", said, d.file, d.line)
}

// absolute is path for a daemon, which has changed to the root folder.
func absolute(path string) string { return filepath.Join("/", path) }

func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
